//! A board: a graph of nodes, its users, their sessions, and an audit.
//!
//! It shows the program of the command's sessions, version 1.4 of its types: records that refer to each other in
//! cycles, texts and lists that their records own, one root, and fields marked secret. Node *i* has the score *i* / 2
//! and a name of 11 digits; its edges lead anywhere, by numbers drawn from a fixed seed.
//!
//! ```text
//! $ cargo run -p heap --example board -- board.heap 10000
//! 10000 nodes, 40000 edges, 13 users (9 active), 185 sessions, 909 audits
//! node-00000000017 scores 8.5; its next is node-00000000018, its first edge leads to node-00000004797
//! $ cargo run -p heap --example board -- board.heap
//! 10000 nodes, 40000 edges, 13 users (9 active), 185 sessions, 909 audits
//! node-00000000017 scores 8.5; its next is node-00000000018, its first edge leads to node-00000004797
//! ```
//!
//! The first run builds the heap, the second finds it. Look into it with `image open board.heap`.

use heap::{Heap, List, Read, Record, Ref, Result, Text, Transaction};

/// A node of the graph.
#[derive(Record)]
struct Node {
    id: u64,
    score: f64,
    name: Text,
    next: Option<Ref<Node>>,
    edges: List<Ref<Node>>,
}

/// Somebody who may log in. The address and the token never leave in a dump that was not told to take them along.
#[derive(Record)]
struct User {
    id: u64,
    active: bool,
    logins: u32,
    #[record(secret)]
    email: Text,
    #[record(secret)]
    token: Text,
}

/// A login that lasts.
#[derive(Record)]
struct Session {
    user: Ref<User>,
    #[record(secret(zero))]
    key: [u8; 16],
}

/// What somebody did.
#[derive(Record)]
struct Audit {
    user: Ref<User>,
    note: Text,
}

/// The root.
#[derive(Record)]
struct Board {
    nodes: List<Ref<Node>>,
    users: List<Ref<User>>,
    sessions: List<Ref<Session>>,
    audits: List<Ref<Audit>>,
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[(self.next() % of.len() as u64) as usize]
    }
}

/// Stores a board with so many nodes, and the rest in proportion.
fn build(tx: &mut Transaction<'_>, count: usize) -> Result<Board> {
    let mut random = Random(42);
    let nodes = (0..count).map(|id| insert_node(tx, id)).collect::<Result<Vec<_>>>()?;
    for (position, &node) in nodes.iter().enumerate() {
        tx[node].next = Some(nodes[(position + 1) % count]);
        // A handle is `Copy`: nothing stays borrowed while the list that the node owns is written to.
        let edges = tx[node].edges;
        edges.extend(tx, [(); 4].map(|()| random.one_of(&nodes)))?;
    }
    let users = (1..=1 + count / 830).map(|id| insert_user(tx, id, &mut random)).collect::<Result<Vec<_>>>()?;
    let (sessions, audits) = (tx.list_with_capacity(count / 54)?, tx.list_with_capacity(count / 11)?);
    for _ in 0..count / 54 {
        let key = u128::from(random.next()) << 64 | u128::from(random.next());
        let session = tx.insert(Session { user: random.one_of(&users), key: key.to_le_bytes() })?;
        sessions.push(tx, session)?;
    }
    for number in 0..count / 11 {
        let note = tx.text(&format!("moved node {} up", number * 11))?;
        let audit = tx.insert(Audit { user: random.one_of(&users), note })?;
        audits.push(tx, audit)?;
    }
    Ok(Board { nodes: tx.list_from(nodes)?, users: tx.list_from(users)?, sessions, audits })
}

fn insert_node(tx: &mut Transaction<'_>, id: usize) -> Result<Ref<Node>> {
    let name = tx.text(&format!("node-{id:011}"))?;
    let edges = tx.list_with_capacity(4)?;
    tx.insert(Node { id: id as u64, score: id as f64 * 0.5, name, next: None, edges })
}

fn insert_user(tx: &mut Transaction<'_>, id: usize, random: &mut Random) -> Result<Ref<User>> {
    let email = tx.text(&format!("user-{id}@example.org"))?;
    let token = tx.text(&format!("{:016x}", random.next()))?;
    let (active, logins) = (!random.next().is_multiple_of(4), (random.next() % 1_000) as u32);
    tx.insert(User { id: id as u64, active, logins, email, token })
}

fn print_summary(read: &Read<'_>, board: Ref<Board>) {
    let board = &read[board];
    let edges: usize = read[board.nodes].iter().map(|&node| read[read[node].edges].len()).sum();
    let active = read[board.users].iter().filter(|&&user| read[user].active).count();
    let (nodes, users) = (&read[board.nodes], read[board.users].len());
    print!("{} nodes, {edges} edges, {users} users ({active} active), ", nodes.len());
    println!("{} sessions, {} audits", read[board.sessions].len(), read[board.audits].len());
    if let Some(&node) = nodes.get(17) {
        let next = read[node].next.expect("the nodes are a cycle");
        let neighbour = &read[read[read[read[node].edges][0]].name];
        print!("{} scores {}; its next is {}, ", &read[read[node].name], read[node].score, &read[read[next].name]);
        println!("its first edge leads to {neighbour}");
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (path, count) = (arguments.next(), arguments.next().map(|count| count.parse::<usize>()));
    let (Some(path), Ok(count)) = (path, count.unwrap_or(Ok(1_000))) else {
        eprintln!("usage: board HEAP [NODES]");
        std::process::exit(2);
    };
    let heap = Heap::open(path)?;
    let mut tx = heap.write()?;
    let board = tx.root_or_insert("board", |tx| build(tx, count))?;
    tx.commit()?;
    print_summary(&heap.read(), board);
    Ok(())
}
