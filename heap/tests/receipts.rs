//! What a heap remembers of its migrations.
#![allow(
    unreachable_pub,
    missing_docs,
    dead_code,
    clippy::unnecessary_wraps,
    reason = "types are declared in modules, one for each version"
)]

mod one_heap;

use std::path::Path;

use heap::format::history::{DroppedField, Receipt, ReceiptKind};
use heap::{Error, Heap, Migrate, Options, TypeSet, Types};
use migrate::Answers;
use one_heap::{Folder, open, write};

/// The receipts of the heap's migrations.
fn receipts(heap: &Heap) -> Vec<Receipt> {
    heap.history().unwrap().receipts
}

/// The plan from a heap to these types, as people read it.
fn planned<S: TypeSet>(path: &Path) -> String {
    let options = Options { types: Some(Types::of::<S>().unwrap()), migrate: Migrate::PlanOnly, ..Options::default() };
    match Heap::open_with(path, options).unwrap_err() {
        Error::Pending { plan, findings } => plan.display_with(&findings).to_string(),
        other => panic!("{other}"),
    }
}

mod before {
    use heap::{List, Record, Ref, Text};

    #[derive(Record)]
    pub struct Node {
        pub id: u64,
        pub score: u64,
        pub name: Text,
        pub parts: List<Part>,
        pub owner: Ref<Person>,
    }

    #[derive(Record)]
    pub struct Part {
        pub count: u32,
    }

    #[derive(Record)]
    pub struct Person {
        pub name: Text,
    }

    #[derive(Record)]
    pub struct Job {
        pub minutes: u32,
        pub title: Text,
        #[record(secret)]
        pub key: u64,
    }
}

mod after {
    use heap::{List, OldRecord, Record, Ref, Result, Text, Transaction};

    #[derive(Record)]
    #[record(dropped("name"))]
    pub struct Node {
        pub id: u64,
        pub score: u8,
        #[record(default = 3)]
        pub level: u32,
        pub parts: List<Part>,
        pub owner: Ref<User>,
    }

    #[derive(Record)]
    pub struct Part {
        pub count: u64,
    }

    #[derive(Record)]
    #[record(was = "Person")]
    pub struct User {
        pub name: Text,
    }

    #[derive(Record)]
    #[record(hook = make)]
    pub struct Job {
        pub seconds: u64,
        pub title: Text,
        pub key: u64,
    }

    fn make(old: &OldRecord<'_>, _: &mut Transaction<'_>) -> Result<Job> {
        Ok(Job { seconds: old.get::<u64>("minutes")? * 60, title: old.get("title")?, key: old.get("key")? })
    }
}

#[test]
fn a_receipt_says_what_became_of_every_field_and_what_was_proved() {
    let folder = Folder::new();
    let heap = open::<(before::Node, before::Job)>(&folder.heap());
    write(&heap, |tx| {
        let name = tx.text("ann").unwrap();
        let owner = tx.insert(before::Person { name }).unwrap();
        for id in 0..20 {
            let (name, parts) = (tx.text("node").unwrap(), tx.list().unwrap());
            parts.push(tx, before::Part { count: 1 }).unwrap();
            tx.insert(before::Node { id, score: id, name, parts, owner }).unwrap();
        }
        let title = tx.text("job").unwrap();
        tx.insert(before::Job { minutes: 1, title, key: 2 }).unwrap();
    });
    let schema = Types::of::<(before::Node, before::Job)>().unwrap().schema().fingerprint().0;
    assert!(receipts(&heap).is_empty());
    drop(heap);
    let answers = Answers::from_toml("[Job]\nunsecret = [\"key\"]").unwrap();
    let types = Some(Types::of::<(after::Node, after::Job)>().unwrap());
    let heap = Heap::open_with(folder.heap(), Options { types, answers, ..Options::default() }).unwrap();
    let [receipt] = <[Receipt; 1]>::try_from(receipts(&heap)).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    assert_eq!((receipt.kind, receipt.sequence), (ReceiptKind::Migrated, 2));
    assert_eq!(receipt.from, schema);
    assert_eq!(receipt.to, Types::of::<(after::Node, after::Job)>().unwrap().schema().fingerprint().0);
    assert!(receipt.time <= now && receipt.time > now - 60_000);
    assert!(receipt.program.starts_with("receipts"), "{}", receipt.program);
    let told = |name: &str| {
        let told = receipt.types.iter().find(|told| told.name == name).unwrap();
        let (first, lines) = told.census.split_first().unwrap();
        assert!(first.starts_with("~ layout ") && first.chars().count() == 9 + 8 + 3 + 8, "{first}");
        (told.records, lines.iter().map(|line| &**line).collect::<Vec<_>>(), told.dropped.clone())
    };
    let dropped = |name: &str, shape: &str| DroppedField { name: name.into(), shape: shape.into() };
    assert_eq!(
        told("Node"),
        (
            20,
            vec![
                "~ 40 → 32 bytes",
                "= id u64",
                "~ score u64 → u8: 20 seen, all fit",
                "+ level u32: default 3",
                "~ parts list<Part>",
                "~ owner ref Person → ref User",
                "- name text: dropped",
            ],
            vec![dropped("name", "text")]
        )
    );
    assert_eq!(told("Part"), (0, vec!["~ 4 → 8 bytes", "~ count u32 → u64"], vec![]));
    assert_eq!(told("User"), (1, vec!["~ the type: was Person"], vec![]));
    assert_eq!(
        told("Job"),
        (
            1,
            vec![
                "~ each value is made by the program's hook",
                "~ key: is no longer secret",
                "+ seconds u64",
                "- minutes u32",
            ],
            vec![dropped("minutes", "u32")]
        )
    );
    assert_eq!(receipt.types.len(), 4);
}

mod back {
    use heap::{List, Record, Ref};

    use super::after::{Part, User};

    #[derive(Record)]
    pub struct Node {
        pub id: u64,
        pub score: u8,
        pub level: u32,
        pub parts: List<Part>,
        pub owner: Ref<User>,
        /// It was a text.
        pub name: u64,
    }
}

#[test]
fn the_name_of_a_dropped_field_does_not_come_back_unnoticed() {
    let folder = Folder::new();
    let heap = open::<before::Node>(&folder.heap());
    write(&heap, |tx| {
        let (name, parts) = (tx.text("ann").unwrap(), tx.list().unwrap());
        let owner = tx.insert(before::Person { name }).unwrap();
        tx.insert(before::Node { id: 1, score: 1, name: heap::Text::default(), parts, owner }).unwrap();
    });
    drop(heap);
    assert!(!planned::<(after::Node,)>(&folder.heap()).contains("until commit"));
    drop(open::<after::Node>(&folder.heap()));
    let plan = planned::<back::Node>(&folder.heap());
    let line = plan.lines().find(|line| line.contains("+ name")).unwrap();
    assert!(line.ends_with("it was text until commit 2 dropped it"), "{plan}");
    heap::rollback(folder.heap()).unwrap();
    // What was rolled back dropped nothing; the field is there.
    let plan = planned::<back::Node>(&folder.heap());
    assert!(!plan.contains("until commit"), "{plan}");
    drop(open::<after::Node>(&folder.heap()));
    let heap = open::<back::Node>(&folder.heap());
    let last = receipts(&heap).pop().unwrap();
    assert!(last.types[0].census.iter().any(|line| line.starts_with("+ name u64: ")), "{last:?}");
    assert!(last.types[0].census.iter().any(|line| line.contains("dropped it")), "{last:?}");
}
