//! The board graph: the one workload of the tests and the benchmark.
//!
//! Node *i* has the id *i*, the score *i* / 2, and the name `node-` with *i* in 11 digits. Its `next` is one step of a
//! single cycle through all nodes, its four edges lead anywhere. Everything follows from the seed 42.

use heap::{Heap, List, Record, Ref, Result, Text, Transaction};

/// Name of the root that holds node 0.
pub const ROOT: &str = "board";

/// Length of a node's name in bytes.
pub const NAME: usize = 16;

/// splitmix64.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The numbers that follow from a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    /// The next number below `bound`, by the high half of a product: no division, and a bias far below what is seen.
    pub const fn below(&mut self, bound: usize) -> usize {
        ((self.next() as u128 * bound as u128) >> 64) as usize
    }
}

/// Who leads to whom.
#[derive(Debug)]
pub struct Graph {
    /// The node after each one on the cycle.
    pub next: Vec<u32>,
    /// Where the edges of each node lead.
    pub edges: Vec<[u32; 4]>,
}

impl Graph {
    /// The graph of so many nodes. A plain random `next` would soon come back to where it was, and measure the cache:
    /// Sattolo's algorithm makes one cycle of all nodes.
    pub fn new(count: usize) -> Self {
        let mut random = Random::new(42);
        let mut next: Vec<u32> = (0..count as u32).collect();
        for last in (1..count).rev() {
            next.swap(last, random.below(last));
        }
        let edges = (0..count).map(|_| [(); 4].map(|()| random.below(count) as u32)).collect();
        Self { next, edges }
    }

    /// Number of nodes.
    pub const fn len(&self) -> usize {
        self.next.len()
    }

    /// Whether there is no node.
    pub const fn is_empty(&self) -> bool {
        self.next.is_empty()
    }
}

/// The name of a node.
pub fn name(id: u64) -> [u8; NAME] {
    let mut name = *b"node-00000000000";
    let mut rest = id;
    for digit in name[5..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    name
}

/// The score of a node.
pub const fn score(id: u64) -> f64 {
    id as f64 * 0.5
}

/// A node that holds everything inline.
#[derive(Record, Debug, Clone, Copy)]
pub struct FlatNode {
    /// Its number.
    pub id: u64,
    /// Its score.
    pub score: f64,
    /// Its name.
    pub name: [u8; NAME],
    /// The next node of the cycle.
    pub next: Option<Ref<FlatNode>>,
    /// Where its edges lead.
    pub edges: [Option<Ref<FlatNode>>; 4],
}

/// What a flat node becomes: other order, half as exact a score, and flags.
#[derive(Record, Debug, Clone, Copy)]
#[record(name = "FlatNode")]
pub struct NextNode {
    /// Its name.
    pub name: [u8; NAME],
    /// The next node of the cycle.
    pub next: Option<Ref<NextNode>>,
    /// Where its edges lead.
    pub edges: [Option<Ref<NextNode>>; 4],
    /// Its number.
    pub id: u64,
    /// Its score.
    pub score: f32,
    /// Something new.
    #[record(default = 7)]
    pub flags: u32,
}

/// A node that owns a text and a list.
#[derive(Record, Debug, Clone, Copy)]
pub struct RichNode {
    /// Its number.
    pub id: u64,
    /// Its score.
    pub score: f64,
    /// Its name.
    pub name: Text,
    /// The next node of the cycle.
    pub next: Option<Ref<RichNode>>,
    /// Where its edges lead.
    pub edges: List<Ref<RichNode>>,
}

/// One of the two forms of a node.
pub trait Node: Record + Copy {
    /// Name of the form.
    const VARIANT: &'static str;

    /// Stores a node that leads nowhere yet.
    ///
    /// # Errors
    /// Those of [`Transaction::insert`].
    fn insert(tx: &mut Transaction<'_>, id: u64) -> Result<Ref<Self>>;

    /// Says where a fresh node leads.
    ///
    /// # Errors
    /// Those of [`List::push`].
    fn link(tx: &mut Transaction<'_>, node: Ref<Self>, next: Ref<Self>, edges: [Ref<Self>; 4]) -> Result<()>;
}

impl Node for FlatNode {
    const VARIANT: &'static str = "flat";

    fn insert(tx: &mut Transaction<'_>, id: u64) -> Result<Ref<Self>> {
        tx.insert(Self { id, score: score(id), name: name(id), next: None, edges: [None; 4] })
    }

    fn link(tx: &mut Transaction<'_>, node: Ref<Self>, next: Ref<Self>, edges: [Ref<Self>; 4]) -> Result<()> {
        let node = tx.get_mut(node)?;
        node.next = Some(next);
        node.edges = edges.map(Some);
        Ok(())
    }
}

impl Node for RichNode {
    const VARIANT: &'static str = "rich";

    fn insert(tx: &mut Transaction<'_>, id: u64) -> Result<Ref<Self>> {
        let bytes = name(id);
        let name = tx.text(std::str::from_utf8(&bytes).expect("digits are UTF-8"))?;
        let edges = tx.list_with_capacity(4)?;
        tx.insert(Self { id, score: score(id), name, next: None, edges })
    }

    fn link(tx: &mut Transaction<'_>, node: Ref<Self>, next: Ref<Self>, edges: [Ref<Self>; 4]) -> Result<()> {
        let node = tx.get_mut(node)?;
        node.next = Some(next);
        let list = node.edges;
        list.extend(tx, edges)
    }
}

/// Stores the graph in a transaction; the nodes by their number.
///
/// # Errors
/// Those of [`Node::insert`] and [`Node::link`].
pub fn store<N: Node>(tx: &mut Transaction<'_>, graph: &Graph) -> Result<Vec<Ref<N>>> {
    let nodes = (0..graph.len() as u64).map(|id| N::insert(tx, id)).collect::<Result<Vec<_>>>()?;
    for (number, &node) in nodes.iter().enumerate() {
        let edges = graph.edges[number].map(|edge| nodes[edge as usize]);
        N::link(tx, node, nodes[graph.next[number] as usize], edges)?;
    }
    if let Some(&first) = nodes.first() {
        tx.set_root(ROOT, first)?;
    }
    Ok(nodes)
}

/// Stores the graph in one durable transaction of its own.
///
/// # Errors
/// Those of [`store`] and of the commit.
pub fn build<N: Node>(heap: &Heap, graph: &Graph) -> Result<Vec<Ref<N>>> {
    let mut tx = heap.write()?;
    let nodes = store(&mut tx, graph)?;
    tx.commit()?;
    Ok(nodes)
}

#[cfg(test)]
mod tests {
    use super::{Graph, name};

    #[test]
    fn next_is_one_cycle_through_all_nodes() {
        let graph = Graph::new(10_000);
        let (mut at, mut steps) = (0, 0);
        while steps == 0 || at != 0 {
            at = graph.next[at] as usize;
            steps += 1;
        }
        assert_eq!(steps, graph.len());
        assert!(graph.edges.iter().flatten().all(|&edge| (edge as usize) < graph.len()));
    }

    #[test]
    fn names_have_eleven_digits() {
        assert_eq!(&name(1_234_567), b"node-00001234567");
    }
}
