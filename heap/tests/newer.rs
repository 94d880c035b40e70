//! Heaps that are newer than the program: rule 43.
#![allow(
    unreachable_pub,
    missing_docs,
    dead_code,
    clippy::unnecessary_wraps,
    reason = "types are declared in modules, one for each version"
)]

mod one_heap;

use std::path::Path;

use heap::{Error, Heap, Options, TypeSet, Types};
use one_heap::{Folder, open, open_answered, write};

impl Folder {
    /// A heap of the first version, which the others then opened, each with a commit of its own.
    fn made(count: u64) -> Self {
        use first::{Job, Kind, Task, User};
        let folder = Self::new();
        let heap = open::<(Task, Job)>(&folder.heap());
        write(&heap, |tx| {
            for number in 0..count {
                let [user, name] = ["user", "name"].map(|text| tx.text(&format!("{text} {number}")).unwrap());
                let user = tx.insert(User { name: user }).unwrap();
                let kind = if number.is_multiple_of(2) { Kind::Plain } else { Kind::Sized { len: number as u8 } };
                tx.insert(Task { number, name, user, small: number as u32, kind }).unwrap();
                tx.insert(Job { hours: number as u32 }).unwrap();
            }
        });
        folder
    }
}

fn refused<S: TypeSet>(path: &Path) -> String {
    let before = std::fs::read(path).unwrap();
    let error = Heap::open_as::<S>(path).map(drop).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert!(std::fs::read(path).unwrap() == before, "a refused heap is the same byte by byte");
    error.to_string()
}

mod first {
    use heap::{Record, Ref, Text};

    #[derive(Record)]
    pub struct Task {
        pub number: u64,
        pub name: Text,
        pub user: Ref<User>,
        pub small: u32,
        pub kind: Kind,
    }

    #[derive(Record, Debug, Clone, Copy, PartialEq)]
    #[repr(u8)]
    pub enum Kind {
        Plain,
        Sized { len: u8 },
    }

    #[derive(Record)]
    pub struct User {
        pub name: Text,
    }

    #[derive(Record)]
    pub struct Job {
        pub hours: u32,
    }
}

/// Everything is renamed or widened.
mod second {
    use heap::{Record, Ref, Text};

    #[derive(Record)]
    pub struct Task {
        pub kind: Sort,
        #[record(was = "user")]
        pub owner: Ref<Person>,
        #[record(was = "name")]
        pub title: Text,
        pub number: u64,
        pub small: u64,
        #[record(default = 0)]
        pub priority: u64,
    }

    #[derive(Record, Debug, Clone, Copy, PartialEq)]
    #[repr(u8)]
    #[record(was = "Kind")]
    pub enum Sort {
        #[record(was = "Sized")]
        Long {
            #[record(was = "len")]
            length: u32,
        },
        #[record(was = "Plain")]
        Simple,
    }

    #[derive(Record)]
    #[record(was = "User")]
    pub struct Person {
        #[record(was = "name")]
        pub title: Text,
    }
}

#[test]
fn what_a_migration_renamed_and_widened_goes_back_by_itself() {
    use first::{Job, Kind, Task};
    let folder = Folder::made(100);
    let heap = open::<(second::Task, Job)>(&folder.heap());
    write(&heap, |tx| {
        let name = tx.text("user new").unwrap();
        let owner = tx.insert(second::Person { title: name }).unwrap();
        let title = tx.text("name new").unwrap();
        let kind = second::Sort::Long { length: 200 };
        tx.insert(second::Task { kind, owner, title, number: 100, small: 7, priority: 0 }).unwrap();
    });
    drop(heap);
    // A value that does not fit, and one that would be lost, are refused as ever.
    let set = |small, priority, length| {
        let heap = open::<(second::Task, Job)>(&folder.heap());
        write(&heap, |tx| {
            let task = tx.records::<second::Task>().unwrap()[100];
            (tx[task].small, tx[task].priority) = (small, priority);
            tx[task].kind = second::Sort::Long { length };
        });
    };
    set(1 << 40, 0, 200);
    assert!(refused::<(Task, Job)>(&folder.heap()).contains("1 of 101 do not fit"));
    set(7, 1, 200);
    assert!(refused::<(Task, Job)>(&folder.heap()).contains("Task.priority"));
    set(7, 0, 300);
    assert!(refused::<(Task, Job)>(&folder.heap()).contains("do not fit"));
    set(7, 0, 200);
    let heap = open::<(Task, Job)>(&folder.heap());
    let read = heap.read();
    assert_eq!(read.count::<Task>().unwrap(), 101);
    for (_, task) in read.iter::<Task>().unwrap() {
        let (number, len) =
            if task.number == 100 { ("new".to_owned(), 200) } else { (task.number.to_string(), task.number as u8) };
        assert_eq!(
            (&read[task.name], &read[read[task.user].name]),
            (&*format!("name {number}"), &*format!("user {number}"))
        );
        let is_plain = task.number.is_multiple_of(2) && task.number < 100;
        assert_eq!(task.kind, if is_plain { Kind::Plain } else { Kind::Sized { len } });
    }
    drop(read);
    drop(heap);
    // And up again.
    assert_eq!(open::<(second::Task, Job)>(&folder.heap()).read().count::<second::Task>().unwrap(), 101);
}

#[test]
fn a_heap_that_never_had_the_layout_follows_the_ordinary_rules() {
    let folder = Folder::new();
    let heap = open::<second::Person>(&folder.heap());
    write(&heap, |tx| {
        let title = tx.text("ann").unwrap();
        tx.insert(second::Person { title }).unwrap();
    });
    drop(heap);
    // It was the second version's from the start: nothing tells that a `User` is a `Person`.
    assert_eq!(open::<first::User>(&folder.heap()).read().count::<first::User>().unwrap(), 0);
}

mod dropping {
    use heap::{Record, Text};

    #[derive(Record)]
    #[record(name = "Task")]
    pub struct Full {
        pub number: u64,
        pub name: Text,
        pub real: f64,
    }

    #[derive(Record)]
    #[record(name = "Task", dropped("name"))]
    pub struct Less {
        pub number: u64,
        pub real: f64,
    }

    #[derive(Record)]
    #[record(name = "Task")]
    pub struct Plain {
        pub number: u64,
        pub real: f64,
    }

    #[derive(Record)]
    #[record(name = "Task")]
    pub struct Rounded {
        pub number: u64,
        pub name: Text,
        pub real: f32,
    }

    /// As the first, and says what is to be there.
    #[derive(Record)]
    #[record(name = "Task")]
    pub struct Given {
        pub number: u64,
        #[record(default = "lost")]
        pub name: Text,
        pub real: f64,
    }

    pub fn make(folder: &super::Folder) {
        let heap = super::open::<Full>(&folder.heap());
        super::write(&heap, |tx| {
            let name = tx.text("ann").unwrap();
            tx.insert(Full { number: 1, name, real: 0.1 }).unwrap();
        });
    }
}

#[test]
fn what_was_dropped_or_rounded_does_not_come_back_as_nothing() {
    use dropping::{Full, Given, Less, Plain, Rounded, make};
    let says = "its values were dropped; a `down` hook makes one";
    // By the program's word, and by an answer's.
    for by_answer in [false, true] {
        let folder = Folder::new();
        make(&folder);
        if by_answer {
            drop(open_answered::<Plain>(&folder.heap(), "[Task]\ndrop = [\"name\"]").unwrap());
        } else {
            drop(open::<Less>(&folder.heap()));
        }
        let refusal = refused::<Full>(&folder.heap());
        assert!(refusal.contains("Task.name: the heap is newer than the program (by commit 2 of newer"), "{refusal}");
        assert!(refusal.contains(says), "{refusal}");
        // The way back that loses nothing is a rollback; and whoever gives the field a value has it.
        let heap = if by_answer {
            open_answered::<Full>(&folder.heap(), "[Task]\ndefault = { name = \"\\\"lost\\\"\" }").unwrap()
        } else {
            drop(open::<Given>(&folder.heap()));
            open::<Full>(&folder.heap())
        };
        let read = heap.read();
        assert!(read.iter::<Full>().unwrap().all(|(_, task)| &read[task.name] == "lost"));
    }
    let folder = Folder::new();
    make(&folder);
    drop(open_answered::<Rounded>(&folder.heap(), "[Task]\nlossy = [\"real\"]").unwrap());
    assert!(refused::<Full>(&folder.heap()).contains("Task.real: the heap is newer"));
    heap::rollback(folder.heap()).unwrap();
    drop(open::<Less>(&folder.heap()));
    heap::rollback(folder.heap()).unwrap();
    // What was rolled back counts for nothing.
    drop(open::<Full>(&folder.heap()));
}

mod third {
    use heap::{Record, Result, Transaction};

    use super::first;

    /// Under the same name a field means something else.
    #[derive(Record)]
    #[record(hook = up, down = down)]
    pub struct Job {
        pub hours: u32,
        pub minutes: u64,
    }

    fn up(old: &first::Job, _: &mut Transaction<'_>) -> Result<Job> {
        Ok(Job { hours: old.hours + 1, minutes: 30 })
    }

    fn down(job: &Job, tx: &mut Transaction<'_>) -> Result<first::Job> {
        let _ = tx.text("what is not kept goes")?;
        Ok(first::Job { hours: job.hours - 1 })
    }

    #[derive(Record)]
    #[record(name = "Job")]
    pub struct WithoutDown {
        pub hours: u32,
        pub minutes: u64,
    }
}

#[test]
fn what_a_hook_made_goes_back_by_a_down_hook_alone() {
    use first::{Job, Task};
    let folder = Folder::made(20);
    let heap = open::<(Task, third::Job)>(&folder.heap());
    write(&heap, |tx| {
        for job in tx.records::<third::Job>().unwrap() {
            tx[job].minutes = 0;
        }
    });
    drop(heap);
    // `minutes` is empty and `hours` is there: without the history it would be taken as it is.
    let refusal = refused::<(Task, Job)>(&folder.heap());
    assert!(refusal.contains("Job: the heap is newer than the program"), "{refusal}");
    assert!(refusal.contains("a hook made its values"), "{refusal}");
    let older = Types::of::<(Task, Job)>().unwrap().schema().clone();
    let back = |newer: Types| {
        let types = Some(newer.back_to(older.clone()).unwrap());
        Heap::open_with(folder.heap(), Options { types, ..Options::default() })
    };
    assert!(matches!(back(Types::of::<third::WithoutDown>().unwrap()), Err(Error::Refused { .. })));
    drop(back(Types::of::<(Task, third::Job)>().unwrap()).unwrap());
    let heap = open::<(Task, Job)>(&folder.heap());
    let hours: Vec<u32> = heap.read().iter::<Job>().unwrap().map(|(_, job)| job.hours).collect();
    assert_eq!(hours, (0..20).collect::<Vec<_>>());
    assert_eq!(heap.stats().records, 60);
    drop(heap);
    // The down hook is for one layout: another older one has no use for it.
    drop(open::<(Task, third::Job)>(&folder.heap()));
    let other = Types::of::<other::Job>().unwrap().schema().clone();
    let types = Some(Types::of::<third::Job>().unwrap().back_to(other).unwrap());
    let error = Heap::open_with(folder.heap(), Options { types, ..Options::default() }).unwrap_err();
    assert!(error.to_string().contains("Job.days"), "{error}");
}

mod other {
    #[derive(heap::Record)]
    pub struct Job {
        pub days: u32,
    }
}

mod fourth {
    use heap::{Record, Ref, Text};

    pub use super::second::{Person, Sort};

    #[derive(Record)]
    pub struct Task {
        pub kind: Sort,
        pub owner: Ref<Person>,
        #[record(was = "title", was = "name")]
        pub label: Text,
        #[record(was = "number")]
        pub id: u64,
        pub small: u64,
    }
}

#[test]
fn two_versions_back_need_what_the_newest_one_remembers() {
    use first::{Job, Task};
    let folder = Folder::made(10);
    drop(open::<(second::Task, Job)>(&folder.heap()));
    drop(open::<(fourth::Task, Job)>(&folder.heap()));
    // The newest version says nothing of `user` any more: that is asked, and the rest is not.
    let refusal = refused::<(Task, Job)>(&folder.heap());
    assert!(
        refusal.contains("Task.owner") && !refusal.contains("Task.label") && !refusal.contains("Task.id"),
        "{refusal}"
    );
    // One version after the other goes.
    drop(open::<(second::Task, Job)>(&folder.heap()));
    let heap = open::<(Task, Job)>(&folder.heap());
    let read = heap.read();
    assert!(read.iter::<Task>().unwrap().all(|(_, task)| read[task.name] == *format!("name {}", task.number)));
}

mod states {
    use heap::{Record, Result, Transaction};

    #[derive(Record, Debug, Clone, Copy, PartialEq)]
    #[repr(u8)]
    pub enum State {
        Open,
        Closed,
    }

    #[derive(Record)]
    #[record(name = "Task")]
    pub struct Old {
        pub state: State,
        pub number: u32,
    }

    #[derive(Record)]
    #[record(name = "Task", hook = up, down = down)]
    pub struct New {
        pub is_open: bool,
        pub number: u32,
    }

    fn up(old: &Old, _: &mut Transaction<'_>) -> Result<New> {
        Ok(New { is_open: old.state == State::Open, number: old.number })
    }

    fn down(new: &New, _: &mut Transaction<'_>) -> Result<Old> {
        Ok(Old { state: if new.is_open { State::Open } else { State::Closed }, number: new.number })
    }

    /// Another program's, with the same names.
    pub mod other {
        use heap::Record;

        #[derive(Record, Debug, Clone, Copy, PartialEq)]
        #[repr(u8)]
        pub enum State {
            Closed,
            Open,
        }

        #[derive(Record)]
        #[record(name = "Task")]
        pub struct Task {
            pub state: State,
            pub number: u32,
        }
    }
}

/// An enum without fields was taken for a type that only references name, and its variants were not compared: what a
/// `down` hook called closed was open for the older program.
#[test]
fn a_down_hook_makes_enums_as_they_lie_there() {
    use states::{New, Old, State, other};
    let folder = Folder::new();
    let heap = open::<New>(&folder.heap());
    write(&heap, |tx| {
        tx.insert(New { is_open: true, number: 1 }).unwrap();
    });
    drop(heap);
    let back = |older: Types| {
        let types = Some(Types::of::<New>().unwrap().back_to(older.schema().clone()).unwrap());
        Heap::open_with(folder.heap(), Options { types, ..Options::default() })
    };
    let refused = back(Types::of::<other::Task>().unwrap()).map(drop);
    assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    drop(back(Types::of::<Old>().unwrap()).unwrap());
    let heap = open::<Old>(&folder.heap());
    assert!(heap.read().iter::<Old>().unwrap().all(|(_, task)| task.state == State::Open));
}

/// A field is renamed, and later one of the old name is added that has nothing to do with it.
mod again {
    use heap::Record;

    #[derive(Record)]
    #[record(name = "Task")]
    pub struct First {
        pub size: u32,
        pub number: u32,
    }

    #[derive(Record)]
    #[record(name = "Task")]
    pub struct Second {
        #[record(was = "size")]
        pub len: u32,
        pub number: u32,
    }

    #[derive(Record)]
    #[record(name = "Task", dropped("len"))]
    pub struct Third {
        #[record(default = 7)]
        pub size: u32,
        pub number: u32,
    }
}

/// A program that drops a field and adds another was taken for an older one, because its layout was there before: the
/// value that it drops came back as the other field's.
#[test]
fn a_layout_that_comes_back_with_another_meaning_is_asked_about() {
    use again::{First, Second, Third};
    for (answer, size) in [("drop = [\"len\"]", 7), ("rename = { len = \"size\" }", 40)] {
        let folder = Folder::new();
        let heap = open::<First>(&folder.heap());
        write(&heap, |tx| {
            tx.insert(First { size: 40, number: 1 }).unwrap();
        });
        drop(heap);
        drop(open::<Second>(&folder.heap()));
        let refusal = refused::<Third>(&folder.heap());
        assert!(refusal.contains("Task.len: the heap is newer than the program"), "{refusal}");
        assert!(refusal.contains("the len that the program drops was its size"), "{refusal}");
        let heap = open_answered::<Third>(&folder.heap(), &format!("[Task]\n{answer}")).unwrap();
        assert_eq!(heap.read().iter::<Third>().unwrap().map(|(_, task)| task.size).collect::<Vec<_>>(), [size]);
    }
}

/// A type is renamed, and later there is one of the old name beside it.
mod beside {
    use heap::{Record, Text};

    #[derive(Record)]
    pub struct User {
        pub name: Text,
    }

    #[derive(Record)]
    #[record(was = "User")]
    pub struct Person {
        pub name: Text,
    }
}

#[test]
fn a_type_of_a_former_name_beside_the_renamed_one_is_a_new_one() {
    use beside::{Person, User};
    let folder = Folder::new();
    let heap = open::<User>(&folder.heap());
    write(&heap, |tx| {
        let name = tx.text("ann").unwrap();
        tx.insert(User { name }).unwrap();
    });
    drop(heap);
    drop(open::<Person>(&folder.heap()));
    let heap = open::<(Person, User)>(&folder.heap());
    let read = heap.read();
    assert_eq!((read.count::<Person>().unwrap(), read.count::<User>().unwrap()), (1, 0));
}

/// What people say goes before what the history says.
#[test]
fn a_type_that_an_answer_drops_is_not_renamed_back() {
    use beside::{Person, User};
    let folder = Folder::new();
    let heap = open::<User>(&folder.heap());
    write(&heap, |tx| {
        let name = tx.text("ann").unwrap();
        tx.insert(User { name }).unwrap();
    });
    drop(heap);
    drop(open::<Person>(&folder.heap()));
    let heap = open_answered::<User>(&folder.heap(), "drop_types = [\"Person\"]").unwrap();
    assert_eq!((heap.read().count::<User>().unwrap(), heap.stats().records), (0, 0));
}

/// A variant's field is dropped.
mod payloads {
    use heap::Record;

    #[derive(Record, Debug, Clone, Copy, PartialEq)]
    #[record(name = "State")]
    #[repr(u8)]
    pub enum First {
        Open,
        Started { day: u32, hour: u32 },
    }

    #[derive(Record, Debug, Clone, Copy, PartialEq)]
    #[record(name = "State")]
    #[repr(u8)]
    pub enum Second {
        Open,
        Started { day: u32 },
    }
}

/// Only the fields of structs were looked for among what was dropped: a variant's came back as zeros.
#[test]
fn what_was_dropped_of_a_variant_does_not_come_back_as_nothing() {
    use payloads::{First, Second};
    let folder = Folder::new();
    let heap = open::<First>(&folder.heap());
    write(&heap, |tx| {
        tx.insert(First::Started { day: 1, hour: 2 }).unwrap();
        tx.insert(First::Open).unwrap();
    });
    drop(heap);
    drop(open_answered::<Second>(&folder.heap(), "[State]\ndrop = [\"Started.hour\"]").unwrap());
    let refusal = refused::<First>(&folder.heap());
    assert!(refusal.contains("its values were dropped"), "{refusal}");
}

/// A field is renamed, and dropped by its new name.
mod renamed {
    use heap::Record;

    #[derive(Record)]
    #[record(name = "Task")]
    pub struct First {
        pub size: u32,
        pub number: u32,
    }

    #[derive(Record)]
    #[record(name = "Task")]
    pub struct Second {
        #[record(was = "size")]
        pub len: u32,
        pub number: u32,
    }

    #[derive(Record)]
    #[record(name = "Task", dropped("len"))]
    pub struct Third {
        pub number: u32,
    }
}

/// What was dropped was looked for by the name that it had in the program's layout: what had been renamed before came back
/// as zeros.
#[test]
fn what_was_renamed_and_dropped_does_not_come_back_as_nothing() {
    use renamed::{First, Second, Third};
    let folder = Folder::new();
    let heap = open::<First>(&folder.heap());
    write(&heap, |tx| {
        tx.insert(First { size: 40, number: 1 }).unwrap();
    });
    drop(heap);
    drop(open::<Second>(&folder.heap()));
    drop(open::<Third>(&folder.heap()));
    let refusal = refused::<First>(&folder.heap());
    assert!(refusal.contains("Task.size: the heap is newer"), "{refusal}");
    assert!(refusal.contains("its values were dropped"), "{refusal}");
}

/// Values of one variant become another one's, and a struct in the record loses a field.
mod merged {
    use heap::{Record, Result, Transaction};

    #[derive(Record, Debug, Clone, Copy, PartialEq)]
    #[record(name = "State")]
    #[repr(u8)]
    pub enum FirstState {
        Open,
        Closed,
        Gone,
    }

    #[derive(Record)]
    #[record(name = "Place")]
    pub struct FirstPlace {
        pub x: u32,
        pub floor: u32,
    }

    #[derive(Record)]
    #[record(name = "Task")]
    pub struct First {
        pub state: FirstState,
        pub place: FirstPlace,
    }

    #[derive(Record, Debug, Clone, Copy, PartialEq)]
    #[record(name = "State")]
    #[repr(u8)]
    pub enum SecondState {
        Open,
        #[record(was = "Gone")]
        Left,
    }

    #[derive(Record)]
    #[record(name = "Place", dropped("floor"))]
    pub struct SecondPlace {
        pub x: u32,
    }

    #[derive(Record)]
    #[record(name = "Task", down = down)]
    pub struct Second {
        pub state: SecondState,
        pub place: SecondPlace,
    }

    fn down(new: &Second, _: &mut Transaction<'_>) -> Result<First> {
        let state = match new.state {
            SecondState::Open => FirstState::Closed,
            SecondState::Left => FirstState::Gone,
        };
        Ok(First { state, place: FirstPlace { x: new.place.x, floor: 1 } })
    }
}

/// Values that an answer had made another variant's came back as that one, without a word. And a `down` hook was refused
/// because of what lies in its records, which it makes.
#[test]
fn variants_that_became_one_do_not_come_back_as_one_unless_a_hook_makes_them() {
    use merged::{First, FirstPlace, FirstState, Second};
    for states in [&[FirstState::Open, FirstState::Closed, FirstState::Gone][..], &[]] {
        let folder = Folder::new();
        let heap = open::<First>(&folder.heap());
        write(&heap, |tx| {
            for &state in states {
                tx.insert(First { state, place: FirstPlace { x: 3, floor: 9 } }).unwrap();
            }
            let task = tx.insert(First { state: FirstState::Open, place: FirstPlace { x: 3, floor: 0 } }).unwrap();
            if states.is_empty() {
                tx.remove(task).unwrap();
            }
        });
        drop(heap);
        drop(open_answered::<Second>(&folder.heap(), "[State]\nbecomes = { Closed = \"Open\" }").unwrap());
        if states.is_empty() {
            // Nothing was lost of records that there are none of.
            assert_eq!(open::<First>(&folder.heap()).read().count::<First>().unwrap(), 0);
            continue;
        }
        let refusal = refused::<First>(&folder.heap());
        assert!(refusal.contains("State::Closed") && refusal.contains("became the same"), "{refusal}");
        assert!(refusal.contains("Place.floor"), "{refusal}");
        let older = Types::of::<First>().unwrap();
        let types = Some(Types::of::<Second>().unwrap().back_to(older.schema().clone()).unwrap());
        drop(Heap::open_with(folder.heap(), Options { types, ..Options::default() }).unwrap());
        let heap = open::<First>(&folder.heap());
        let read = heap.read();
        let count = |state| read.iter::<First>().unwrap().filter(|(_, task)| task.state == state).count();
        assert_eq!((count(FirstState::Closed), count(FirstState::Gone)), (3, 1));
        assert!(read.iter::<First>().unwrap().all(|(_, task)| task.place.floor == 1));
    }
}
