//! The tutorial of `docs/migrating.md`: one heap through all of its steps, and the page beside the files that are run.
#![allow(
    unreachable_pub,
    clippy::float_cmp,
    clippy::items_after_statements,
    clippy::cast_sign_loss,
    clippy::unnecessary_wraps,
    reason = "types are declared where a rule needs them, and exact values are meant"
)]

use std::path::Path;

use heap::{Error, Heap, Options, TypeSet, Types};

macro_rules! step {
    ($module:ident: $($file:literal)*) => {
        #[allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
        mod $module {
            use heap::{List, Record, Ref, Text, Transaction};
            $(include!(concat!("../../docs/migrating/", $file, ".rs"));)*
        }
    };
}

step!(first: "1");

/// Later steps change the struct and leave the enum, or the other way round.
macro_rules! later {
    ($($module:ident: $file:literal, $state:ident, $point:ident;)*) => {$(
        #[allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
        mod $module {
            use heap::{List, Record, Ref, Text, Transaction};
            #[allow(unused_imports)]
            use super::$state::State;
            #[allow(unused_imports)]
            use super::$point::*;
            include!(concat!("../../docs/migrating/", $file, ".rs"));
        }
    )*};
}

mod nothing {}

later! {
    added: "2", first, nothing;
    reordered: "3", first, nothing;
    renamed: "4", first, nothing;
    narrowed: "5", first, nothing;
    gathered: "6", first, nothing;
}

#[allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
mod grown {
    use heap::{List, Record, Text};
    include!("../../docs/migrating/7.rs");

    #[derive(Record)]
    pub struct Task {
        pub notes: List<Text>,
        pub state: State,
        pub priority: u8,
        pub id: u64,
        pub title: Text,
        pub place: super::gathered::Point,
    }
}

#[allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
mod hooked {
    use heap::{List, Record, Text, Transaction};

    use super::gathered::Point;
    use super::grown::State;
    include!("../../docs/migrating/8.rs");
}

#[allow(dead_code, unused_imports, missing_docs, unreachable_pub, clippy::match_bool)]
mod any {
    use heap::{List, OldRecord, Record, Text, Transaction};

    use super::gathered::Point;
    include!("../../docs/migrating/9.rs");
}

#[allow(dead_code, unused_imports, missing_docs, unreachable_pub, clippy::match_bool)]
mod back {
    use heap::{List, OldRecord, Record, Text, Transaction};

    use super::any;
    use super::gathered::Point;
    use super::grown::State;
    use super::hooked::Task as Split;
    include!("../../docs/migrating/10.rs");

    fn from_any(old: &OldRecord<'_>, _: &mut Transaction<'_>) -> heap::Result<Task> {
        Ok(Task { id: old.get("id")?, title: old.get("title")?, place: old.get("place")?, urgent: false })
    }
}

const COUNT: u64 = 1000;

fn name(id: u64) -> String {
    if id.is_multiple_of(2) { format!("project {}: task {id}", id % 7) } else { format!("task {id}") }
}

fn open<S: TypeSet>(path: &Path) -> Heap {
    Heap::open_as::<S>(path).unwrap_or_else(|error| panic!("{error}"))
}

/// Every record of a heap, by its number.
macro_rules! each {
    ($heap:ident, $task:ty, |$read:ident, $id:ident, $it:ident| $check:block) => {
        let $read = $heap.read();
        assert_eq!($read.count::<$task>().unwrap(), COUNT);
        for (_, $it) in $read.iter::<$task>().unwrap() {
            let $id = $it.id;
            $check
        }
    };
}

#[test]
fn a_struct_changes_eight_times_and_keeps_its_values() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.heap");
    // The last step starts from each of those before it.
    let served = |step: u32, notes: bool, title: &dyn Fn(u64) -> String| {
        let path = folder.path().join(format!("step {step}.heap"));
        for end in ["", ".log"] {
            let from = folder.path().join(format!("tasks.heap{end}"));
            std::fs::copy(from, folder.path().join(format!("step {step}.heap{end}"))).unwrap();
        }
        let heap = open::<any::Task>(&path);
        each!(heap, any::Task, |read, id, it| {
            assert_eq!(&read[it.title], title(id), "step {step}");
            assert_eq!(it.place, gathered::Point { x: id as f64, y: -(id as f64) });
            let priority = if step < 5 { id } else { id % 256 };
            assert_eq!(it.urgent, notes && priority > 7 && id % 3 != 0, "step {step}: {id}");
        });
    };
    {
        use first::{State, Task};
        let heap = open::<Task>(&path);
        let mut tx = heap.write().unwrap();
        for id in 0..COUNT {
            let state = if id % 3 == 0 { State::Done } else { State::Open };
            let name = tx.text(&name(id)).unwrap();
            tx.insert(Task { id, name, x: id as f64, y: -(id as f64), state }).unwrap();
        }
        tx.commit().unwrap();
    }
    served(1, false, &name);
    {
        let heap = open::<added::Task>(&path);
        each!(heap, added::Task, |read, id, it| {
            assert_eq!((&read[it.name], it.priority, it.x), (&*name(id), 3, id as f64));
            assert!(read[it.notes].is_empty());
        });
        drop(read);
        // Something to keep through all further steps, and something that will not fit.
        let mut tx = heap.write().unwrap();
        for task in tx.records::<added::Task>().unwrap() {
            let (id, notes) = (tx[task].id, tx[task].notes);
            let note = tx.text(&format!("note {id}")).unwrap();
            notes.push(&mut tx, note).unwrap();
            tx[task].priority = id;
        }
        tx.commit().unwrap();
    }
    served(2, true, &name);
    {
        let heap = open::<reordered::Task>(&path);
        each!(heap, reordered::Task, |read, id, it| {
            assert_eq!((&read[it.name], it.priority, it.y), (&*name(id), id, -(id as f64)));
        });
    }
    served(3, true, &name);
    {
        let heap = open::<renamed::Task>(&path);
        each!(heap, renamed::Task, |read, id, it| { assert_eq!(&read[it.title], name(id)) });
    }
    served(4, true, &name);
    {
        let refused = Heap::open_as::<narrowed::Task>(&path).unwrap_err();
        assert!(matches!(refused, Error::Refused { .. }), "{refused}");
        assert!(refused.to_string().contains("744 of 1,000"), "{refused}");
        let heap = open::<renamed::Task>(&path);
        let mut tx = heap.write().unwrap();
        for task in tx.records::<renamed::Task>().unwrap() {
            tx[task].priority %= 256;
        }
        tx.commit().unwrap();
        drop(heap);
        let heap = open::<narrowed::Task>(&path);
        each!(heap, narrowed::Task, |read, id, it| {
            assert_eq!((&read[it.title], u64::from(it.priority)), (&*name(id), id % 256));
        });
    }
    served(5, true, &name);
    {
        let heap = open::<gathered::Task>(&path);
        each!(heap, gathered::Task, |_read, id, it| {
            assert_eq!(it.place, gathered::Point { x: id as f64, y: -(id as f64) });
        });
    }
    served(6, true, &name);
    {
        use grown::State;
        let heap = open::<grown::Task>(&path);
        each!(heap, grown::Task, |_read, id, it| {
            assert_eq!(it.state, if id % 3 == 0 { State::Finished } else { State::Open });
        });
    }
    served(7, true, &name);
    let heap = open::<hooked::Task>(&path);
    each!(heap, hooked::Task, |read, id, it| {
        let whole = name(id);
        let (project, title) = whole.split_once(": ").unwrap_or(("none", &whole));
        assert_eq!((&read[it.project], &read[it.title]), (project, title));
        assert_eq!(&read[read[it.notes][0]], format!("note {id}"));
        assert_eq!(it.place.x, id as f64);
    });
    drop(read);
    drop(heap);
    let title = |id| {
        let whole = name(id);
        whole.split_once(": ").map_or(whole.clone(), |(_, title)| title.to_owned())
    };
    served(8, true, &title);

    // And back, when a rollback would lose a commit.
    let heap = open::<back::Task>(&path);
    let mut tx = heap.write().unwrap();
    for task in tx.records::<back::Task>().unwrap() {
        tx[task].urgent = tx[task].id.is_multiple_of(2);
    }
    tx.commit().unwrap();
    drop(heap);
    let refused = Heap::open_as::<hooked::Task>(&path).unwrap_err().to_string();
    assert!(refused.contains("the heap is newer than the program"), "{refused}");
    let older = Types::of::<hooked::Task>().unwrap().schema().clone();
    let types = Some(Types::of::<back::Task>().unwrap().back_to(older).unwrap());
    drop(Heap::open_with(&path, Options { types, ..Options::default() }).unwrap());
    let heap = open::<hooked::Task>(&path);
    each!(heap, hooked::Task, |read, id, it| {
        assert_eq!((&read[it.title], it.priority), (&*title(id), if id.is_multiple_of(2) { 9 } else { 3 }));
    });
}

#[test]
fn the_page_shows_the_files_that_are_run() {
    let page = include_str!("../../docs/migrating.md");
    let files = [
        include_str!("../../docs/migrating/1.rs"),
        include_str!("../../docs/migrating/2.rs"),
        include_str!("../../docs/migrating/3.rs"),
        include_str!("../../docs/migrating/4.rs"),
        include_str!("../../docs/migrating/5.rs"),
        include_str!("../../docs/migrating/6.rs"),
        include_str!("../../docs/migrating/7.rs"),
        include_str!("../../docs/migrating/8.rs"),
        include_str!("../../docs/migrating/9.rs"),
        include_str!("../../docs/migrating/10.rs"),
    ];
    for (number, file) in (1..).zip(files) {
        assert!(
            page.contains(&format!("```rust\n{file}```")),
            "docs/migrating/{number}.rs is not on the page as it is"
        );
    }
}
