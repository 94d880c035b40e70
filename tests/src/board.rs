//! The board of the developer's session, version 1.4 and several ways to write 1.5.

/// As examples/board.rs has it.
pub mod before {
    use heap::{List, Record, Ref, Text};

    /// The root.
    #[derive(Record)]
    #[repr(C)]
    pub struct Board {
        /// All nodes.
        pub nodes: List<Ref<Node>>,
        /// All users.
        pub users: List<Ref<User>>,
    }

    /// A node of the graph.
    #[derive(Record)]
    #[repr(C)]
    pub struct Node {
        /// Its number.
        pub id: u64,
        /// A figure.
        pub score: f64,
        /// What it is called.
        pub name: Text,
        /// The next one.
        pub next: Option<Ref<Node>>,
        /// Neighbours.
        pub edges: List<Ref<Node>>,
    }

    /// Somebody with something to hide.
    #[derive(Record)]
    #[repr(C)]
    pub struct User {
        /// Its number.
        pub id: u64,
        /// Where mail goes.
        #[record(secret)]
        pub email: Text,
        /// What lets in.
        #[record(secret)]
        pub token: Text,
    }
}

/// Version 1.5 as somebody writes it who did not think of old heaps.
pub mod after {
    use heap::{List, Record, Ref, Text};

    /// The root.
    #[derive(Record)]
    #[repr(C)]
    pub struct Board {
        /// All nodes.
        pub nodes: List<Ref<Node>>,
        /// All users.
        pub users: List<Ref<User>>,
    }

    /// A node of the graph.
    #[derive(Record)]
    #[repr(C)]
    pub struct Node {
        /// The next one.
        pub next: Option<Ref<Node>>,
        /// Its number.
        pub id: u64,
        /// A figure.
        pub score: f32,
        /// New.
        #[record(default = 0)]
        pub flags: u32,
        /// What was its name.
        pub title: Text,
        /// Neighbours.
        pub edges: List<Ref<Node>>,
    }

    /// Somebody with less to hide.
    #[derive(Record)]
    #[repr(C)]
    pub struct User {
        /// Its number.
        pub id: u64,
        /// Where mail goes.
        #[record(secret)]
        pub email: Text,
        /// What lets in.
        pub token: Text,
    }
}

/// Version 1.5 whose nodes a hook makes.
pub mod hooked {
    use heap::{List, Record, Ref, Result, Text, Transaction};

    /// The root.
    #[derive(Record)]
    #[repr(C)]
    pub struct Board {
        /// All nodes.
        pub nodes: List<Ref<Node>>,
        /// All users.
        pub users: List<Ref<super::before::User>>,
    }

    #[derive(Record)]
    #[repr(C)]
    #[record(name = "Node")]
    struct OldNode {
        id: u64,
        score: f64,
        name: Text,
        next: Option<Ref<Node>>,
        edges: List<Ref<Node>>,
    }

    /// A node of the graph.
    #[derive(Record)]
    #[record(hook = from_old, down = to_old)]
    pub struct Node {
        /// The next one.
        pub next: Option<Ref<Node>>,
        /// Its number.
        pub id: u64,
        /// A figure, in tenths.
        pub tenths: i64,
        /// What was its name.
        pub title: Text,
        /// Neighbours.
        pub edges: List<Ref<Node>>,
    }

    #[allow(clippy::unnecessary_wraps, reason = "the form of every hook")]
    fn from_old(old: &OldNode, _: &mut Transaction<'_>) -> Result<Node> {
        assert!(old.id != 11 || std::env::var_os("BOARD").is_none_or(|board| board != "panic"), "negative score");
        let tenths = (old.score * 10.0).round() as i64;
        Ok(Node { next: old.next, id: old.id, tenths, title: old.name, edges: old.edges })
    }

    #[allow(
        clippy::unnecessary_wraps,
        clippy::cast_precision_loss,
        reason = "the form of every hook, of small numbers"
    )]
    fn to_old(node: &Node, _: &mut Transaction<'_>) -> Result<OldNode> {
        let score = node.tenths as f64 / 10.0;
        Ok(OldNode { id: node.id, score, name: node.title, next: node.next, edges: node.edges })
    }
}

/// What a node of a made heap has as its score: every third is no f32.
pub fn score(id: u64) -> f64 {
    if id.is_multiple_of(3) { id as f64 / 10.0 + 0.1 } else { id as f64 / 2.0 }
}

/// Makes a heap of version 1.4 with so many nodes in a circle.
///
/// # Errors
/// As the heap's own.
pub fn make(path: &std::path::Path, count: u64) -> heap::Result<()> {
    use before::{Board, Node, User};
    let heap = heap::Heap::open_as::<Board>(path)?;
    let mut tx = heap.write()?;
    tx.root_or_insert("board", |tx| {
        let nodes = tx.list::<heap::Ref<Node>>();
        let users = tx.list::<heap::Ref<User>>();
        Ok(Board { nodes: nodes?, users: users? })
    })?;
    let board = tx.root::<Board>("board")?.expect("it was just made");
    let nodes = tx[board].nodes;
    let mut made: Vec<heap::Ref<Node>> = Vec::new();
    for id in 0..count {
        let (name, edges) = (tx.text(&format!("node-{id:011}"))?, tx.list()?);
        let node = tx.insert(Node { id, score: score(id), name, next: made.last().copied(), edges })?;
        nodes.push(&mut tx, node)?;
        made.push(node);
    }
    if let (Some(&first), Some(&last)) = (made.first(), made.last()) {
        tx[first].next = Some(last);
    }
    let users = tx[board].users;
    let (email, token) = (tx.text("ada@example.org")?, tx.text("canary-token")?);
    let user = tx.insert(User { id: 1, email, token })?;
    users.push(&mut tx, user)?;
    tx.commit()?;
    Ok(())
}
