//! Hooks that see old records by the names of their fields.
#![allow(
    unreachable_pub,
    missing_docs,
    dead_code,
    clippy::unnecessary_wraps,
    clippy::float_cmp,
    reason = "types are declared in modules, one for each version"
)]

mod one_heap;

use std::path::PathBuf;

use heap::{Error, Heap, Transaction, TypeSet};
use one_heap::Folder;

impl Folder {
    fn write<S: TypeSet>(&self, write: impl FnOnce(&mut Transaction<'_>)) {
        one_heap::write(&one_heap::open::<S>(&self.heap()), write);
    }

    fn open<S: TypeSet>(&self) -> Heap {
        drop(one_heap::open::<S>(&self.heap()));
        // What was committed is what a verifier lets through.
        one_heap::open::<S>(&self.heap())
    }

    fn refused<S: TypeSet>(&self) -> String {
        let error = Heap::open_as::<S>(self.heap()).unwrap_err();
        assert!(matches!(error, Error::Hook { .. }), "{error}");
        error.to_string()
    }
}

mod parts {
    use heap::{Bytes, List, Map, Maybe, Record, Ref, SortedMap, Text};

    #[derive(Record, Debug, Clone, Copy, PartialEq)]
    pub struct Point {
        pub x: f32,
        pub y: f32,
    }

    #[derive(Record, Debug, Clone, Copy, PartialEq)]
    #[repr(u8)]
    pub enum State {
        Open,
        Started { day: u32 },
    }

    #[derive(Record)]
    pub struct User {
        pub name: Text,
    }

    /// One field of every kind.
    #[derive(Record)]
    #[record(name = "Task")]
    pub struct First {
        pub small: i32,
        pub wide: u64,
        pub real: f32,
        pub yes: bool,
        pub letter: char,
        pub bytes: Bytes,
        pub title: Text,
        pub tags: List<Text>,
        pub owner: Ref<User>,
        pub maybe_owner: Option<Ref<User>>,
        pub maybe: Option<u32>,
        pub counts: Map<u32, u64>,
        pub names: SortedMap<Text, u32>,
        pub place: Point,
        pub far: Maybe<Point>,
        pub state: State,
        pub array: [u16; 3],
    }
}

/// A task of every kind of field for each number.
fn tasks(tx: &mut Transaction<'_>, count: u32) {
    use parts::{First, Point, State, User};
    for number in 0..count {
        let name = tx.text(&format!("user {number}")).unwrap();
        let owner = tx.insert(User { name }).unwrap();
        let tag = tx.text(&format!("tag {number}")).unwrap();
        let tags = tx.list().unwrap();
        tags.push(tx, tag).unwrap();
        let counts = tx.map().unwrap();
        counts.insert(tx, number, u64::from(number)).unwrap();
        let names = tx.sorted_map().unwrap();
        let key = tx.text("key").unwrap();
        names.insert(tx, key, number).unwrap();
        let (bytes, title) = (tx.bytes(&[1, 2]).unwrap(), tx.text(&format!("task {number}")).unwrap());
        let state = if number.is_multiple_of(2) { State::Open } else { State::Started { day: number } };
        let far = if number.is_multiple_of(2) { None } else { Some(Point { x: 7.0, y: 8.0 }) };
        let task = First {
            small: -1,
            wide: u64::from(number),
            real: 0.5,
            yes: true,
            letter: 'ü',
            bytes,
            title,
            tags,
            owner,
            maybe_owner: None,
            maybe: Some(number),
            counts,
            names,
            place: Point { x: 1.0, y: 2.0 },
            far: far.into(),
            state,
            array: [1, 2, number as u16],
        };
        tx.insert(task).unwrap();
    }
}

mod moved {
    use heap::{Bytes, List, Map, Maybe, OldRecord, Record, Ref, Result, SortedMap, Text, Transaction};

    use super::parts::{Point, State, User};

    /// Everything is read as its own type or a wider one, and moved.
    #[derive(Record)]
    #[record(hook = from_any)]
    pub struct Task {
        pub small: i64,
        pub wide: u64,
        pub real: f64,
        pub yes: bool,
        pub letter: char,
        pub bytes: Bytes,
        pub title: Text,
        pub tags: List<Text>,
        pub owner: Ref<User>,
        pub maybe_owner: Option<Ref<User>>,
        pub maybe: Option<u32>,
        pub counts: Map<u32, u64>,
        pub names: SortedMap<Text, u32>,
        pub x: f64,
        pub y: f32,
        pub far: Maybe<Point>,
        pub day: Option<u32>,
        pub state: State,
        pub array: [u32; 3],
        pub made: u64,
    }

    fn from_any(old: &OldRecord<'_>, tx: &mut Transaction<'_>) -> Result<Task> {
        assert_eq!((old.type_name(), &*old.record().type_name), ("Task", "Task"));
        assert_eq!(old.fields().count(), 17);
        let added: Vec<&str> = old.added().collect();
        assert_eq!(added, ["x", "y", "day", "made"]);
        assert_eq!(old.dropped().collect::<Vec<_>>(), ["place"]);
        assert!(old.has("place.x") && !old.has("place.z") && !old.has("made") && old.has("state::Started.day"));
        assert_eq!(old.shape("names").as_deref(), Some("sorted_map<text, u32>"));
        let wide = old.get::<u64>("wide")?;
        let state = old.variant("state")?;
        let day = match state {
            "Started" => Some(old.get::<u32>("state::Started.day")?),
            _ => None,
        };
        if day.is_none() {
            let error = old.get::<u32>("state::Started.day").unwrap_err().to_string();
            assert_eq!(error, "old field Task.state::Started.day: the value is Open, not Started");
            let error = old.get::<f32>("far.x").unwrap_err().to_string();
            assert_eq!(error, "old field Task.far.x: far is nothing");
        } else {
            assert_eq!(old.get::<f32>("far.y")?.to_bits(), 8.0_f32.to_bits());
        }
        // References reach what is not converted.
        let owner: Ref<User> = old.get("owner")?;
        assert_eq!(&tx[tx[owner].name], format!("user {wide}"));
        assert_eq!(tx[old.get::<List<Text>>("tags")?].len(), 1);
        assert_eq!(old.elements::<Text>("tags", tx)?.len(), 1);
        assert_eq!(old.entries::<u32, u64>("counts", tx)?, [(wide as u32, wide)]);
        assert_eq!(old.entries::<Text, u64>("names", tx)?[0].1, wide);
        assert_eq!(old.get::<Option<Ref<User>>>("owner")?, Some(owner));
        Ok(Task {
            small: old.get("small")?,
            wide,
            real: old.get("real")?,
            yes: old.get("yes")?,
            letter: old.get("letter")?,
            bytes: old.get("bytes")?,
            title: old.get("title")?,
            tags: old.get("tags")?,
            owner,
            maybe_owner: old.get("maybe_owner")?,
            maybe: old.get("maybe")?,
            counts: old.get("counts")?,
            names: old.get("names")?,
            x: old.get("place.x")?,
            y: old.get("place.y")?,
            far: old.get("far")?,
            day,
            state: old.get("state")?,
            array: old.get("array")?,
            made: 1,
        })
    }
}

#[test]
fn a_hook_reads_fields_of_every_kind_by_name() {
    use parts::{First, Point, State, User};
    let folder = Folder::new();
    folder.write::<(First, User)>(|tx| tasks(tx, 100));
    let heap = folder.open::<moved::Task>();
    let read = heap.read();
    assert_eq!(read.count::<moved::Task>().unwrap(), 100);
    for (_, task) in read.iter::<moved::Task>().unwrap() {
        let number = task.wide as u32;
        assert_eq!((task.small, task.real.to_bits(), task.yes, task.letter), (-1, 0.5_f64.to_bits(), true, 'ü'));
        assert_eq!((&read[task.title], &read[task.bytes]), (&*format!("task {number}"), &[1, 2][..]));
        assert_eq!(&read[read[task.tags][0]], format!("tag {number}"));
        assert_eq!(&read[read[task.owner].name], format!("user {number}"));
        assert_eq!((task.maybe_owner, task.maybe), (None, Some(number)));
        assert_eq!(task.counts.get(&read, &number).unwrap(), Some(&u64::from(number)));
        assert_eq!(task.names.get(&read, "key").unwrap(), Some(&number));
        assert_eq!((task.x.to_bits(), task.y.to_bits()), (1.0_f64.to_bits(), 2.0_f32.to_bits()));
        let started = !number.is_multiple_of(2);
        assert_eq!(task.far.into_option(), started.then_some(Point { x: 7.0, y: 8.0 }));
        assert_eq!(task.day, started.then_some(number));
        assert_eq!(task.state, if started { State::Started { day: number } } else { State::Open });
        assert_eq!((task.array, task.made), ([1, 2, number], 1));
    }
}

/// A type whose hook reads one field, and says what came of it.
macro_rules! reads {
    ($module:ident: $field:literal as $asked:ty) => {
        mod $module {
            #[allow(unused_imports)]
            use heap::{Bytes, List, Map, Maybe, OldRecord, Record, Ref, Result, SortedMap, Text, Transaction};

            #[allow(unused_imports)]
            use super::{parts, thing};

            #[derive(Record)]
            #[record(hook = read)]
            pub struct Task {
                pub new: $asked,
            }

            fn read(old: &OldRecord<'_>, _: &mut Transaction<'_>) -> Result<Task> {
                Ok(Task { new: old.get($field)? })
            }
        }
    };
}

/// Types of other layouts under names that the heap knows.
mod thing {
    use heap::{Record, Text};

    #[derive(Record)]
    pub struct Other {
        pub name: Text,
    }

    #[derive(Record)]
    pub struct Strange {
        pub x: Text,
    }
}

reads!(as_text: "wide" as Text);
reads!(as_number: "title" as u64);
reads!(as_narrow: "small" as u8);
reads!(as_list: "title" as List<u64>);
reads!(as_map: "counts" as Map<u32, u32>);
reads!(as_sorted: "names" as SortedMap<Text, u64>);
reads!(as_reference: "owner" as Ref<thing::Other>);
reads!(as_struct: "place" as thing::Strange);
reads!(as_missing: "missing" as u64);
reads!(as_deep: "place.z" as u64);
reads!(as_inside: "wide.z" as u64);
reads!(as_payload: "state.day" as u32);
reads!(as_variant: "state::Closed.day" as u32);
reads!(as_whole_variant: "state::Started" as u32);
reads!(as_handle: "wide" as Ref<parts::User>);
reads!(as_bool: "small" as bool);
reads!(as_shorter: "array" as [u16; 2]);
reads!(as_elements: "tags" as List<Bytes>);

#[test]
fn what_a_field_cannot_be_read_as_is_refused_with_both_types() {
    use parts::{First, User};
    let folder = Folder::new();
    folder.write::<(First, User)>(|tx| tasks(tx, 3));
    let says = |error: String, what: &str| assert!(error.contains(what), "{error}\ndoes not say\n{what}");
    says(folder.refused::<as_text::Task>(), "Task#0 (generation");
    says(folder.refused::<as_text::Task>(), "old field Task.wide: is u64, and was asked for as text");
    says(folder.refused::<as_number::Task>(), "old field Task.title: is text, and was asked for as u64");
    says(folder.refused::<as_narrow::Task>(), "Task.small: is i32, and this value does not survive as u8");
    says(folder.refused::<as_list::Task>(), "Task.title: is text, and was asked for as list<u64>");
    says(folder.refused::<as_map::Task>(), "only `convert` makes a new map<u32, u32> of it");
    says(folder.refused::<as_sorted::Task>(), "only `convert` makes a new sorted_map<text, u64> of it");
    says(folder.refused::<as_reference::Task>(), "Task.owner: is ref User, and was asked for as ref Other");
    says(folder.refused::<as_struct::Task>(), "Task.place: is Point, and was asked for as Strange");
    says(folder.refused::<as_missing::Task>(), "Task.missing: the old type has no such field, but small, wide");
    says(folder.refused::<as_deep::Task>(), "Task.place.z: place has no such field, but x, y");
    says(folder.refused::<as_inside::Task>(), "Task.wide.z: wide has no fields");
    says(folder.refused::<as_payload::Task>(), "state is an enum of Open, Started: name the variant first");
    says(folder.refused::<as_variant::Task>(), "state has no such variant, but Open, Started");
    says(folder.refused::<as_whole_variant::Task>(), "state::Started is a variant; name one of its fields");
    says(folder.refused::<as_handle::Task>(), "Task.wide: is u64, and was asked for as ref User");
    says(folder.refused::<as_bool::Task>(), "this value does not survive as bool");
    says(folder.refused::<as_shorter::Task>(), "this value does not survive as [u16; 2]");
    says(folder.refused::<as_elements::Task>(), "only `convert` makes a new list<bytes> of it");
    let heap = folder.open::<(First, User)>();
    assert_eq!(heap.read().count::<First>().unwrap(), 3, "the heap is what it was");
}

/// Three versions of a type, and a fourth one whose hooks serve them all.
mod versions {
    use heap::{Record, Text};

    #[derive(Record)]
    #[record(name = "Job")]
    pub struct One {
        pub hours: u32,
    }

    #[derive(Record)]
    #[record(name = "Job")]
    pub struct Two {
        pub minutes: u32,
        pub title: Text,
    }

    #[derive(Record)]
    #[record(name = "Job")]
    pub struct Three {
        pub minutes: u64,
        pub title: Text,
        pub note: Text,
    }

    pub mod last {
        use heap::{OldRecord, Record, Result, Text, Transaction};

        #[derive(Record)]
        #[record(hook = from_any, hook = from_three)]
        pub struct Job {
            pub seconds: u64,
            pub title: Text,
            /// How it was made.
            pub by: u8,
        }

        fn from_any(old: &OldRecord<'_>, tx: &mut Transaction<'_>) -> Result<Job> {
            let minutes = if old.has("hours") { old.get::<u64>("hours")? * 60 } else { old.get("minutes")? };
            let title = if old.has("title") { old.get("title")? } else { tx.text("untitled")? };
            Ok(Job { seconds: minutes * 60, title, by: old.fields().count() as u8 })
        }

        fn from_three(old: &super::Three, _: &mut Transaction<'_>) -> Result<Job> {
            Ok(Job { seconds: old.minutes * 60, title: old.title, by: 33 })
        }
    }
}

#[test]
fn one_hook_serves_every_older_layout_and_a_typed_one_goes_before_it() {
    use versions::{One, Three, Two, last::Job};
    let made = |folder: &Folder| {
        let heap = folder.open::<Job>();
        let read = heap.read();
        let (_, job) = read.iter::<Job>().unwrap().next().unwrap();
        (job.seconds, read[job.title].to_owned(), job.by)
    };
    let folder = Folder::new();
    folder.write::<One>(|tx| {
        tx.insert(One { hours: 2 }).unwrap();
    });
    assert_eq!(made(&folder), (7200, "untitled".to_owned(), 1));
    let folder = Folder::new();
    folder.write::<Two>(|tx| {
        let title = tx.text("two").unwrap();
        tx.insert(Two { minutes: 3, title }).unwrap();
    });
    // By the rules a `Two` could be shown as a `Three` whose note is empty, and nothing would be lost.
    assert_eq!(made(&folder), (180, "two".to_owned(), 33));
    let folder = Folder::new();
    folder.write::<Three>(|tx| {
        let [title, note] = ["three", "note"].map(|text| tx.text(text).unwrap());
        tx.insert(Three { minutes: 4, title, note }).unwrap();
    });
    assert_eq!(made(&folder), (240, "three".to_owned(), 33));
}

/// Elements, values of maps, and records change together with their holder.
mod together {
    use heap::{List, Map, Record, Ref, Text};

    #[derive(Record)]
    #[record(name = "Part")]
    pub struct Before {
        pub count: u32,
        pub name: Text,
    }

    #[derive(Record)]
    #[record(name = "Person")]
    pub struct OldPerson {
        pub name: Text,
    }

    #[derive(Record)]
    #[record(name = "Holder")]
    pub struct OldHolder {
        pub parts: List<Before>,
        pub more: Map<u32, Before>,
        pub who: Ref<OldPerson>,
        pub spare: Option<List<Before>>,
    }

    pub mod after {
        use heap::{Error, List, Map, OldRecord, Record, Ref, Result, Text, Transaction};

        #[derive(Record)]
        pub struct Part {
            pub name: Text,
            pub count: u64,
            pub extra: List<u32>,
        }

        #[derive(Record)]
        #[record(was = "Person")]
        pub struct User {
            pub name: Text,
            pub logins: u64,
        }

        #[derive(Record)]
        #[record(hook = hold)]
        pub struct Holder {
            pub parts: List<Part>,
            pub more: Map<u32, Part>,
            pub who: Ref<User>,
            pub sum: u64,
        }

        fn hold(old: &OldRecord<'_>, tx: &mut Transaction<'_>) -> Result<Holder> {
            // The handle of a list whose elements lie by another layout from now on is one, and leads nowhere.
            let dead = old.get::<List<super::Before>>("parts")?;
            assert!(matches!(dead.get(tx), Err(Error::Schema { .. })));
            let error = old.get::<List<Part>>("parts").unwrap_err().to_string();
            assert!(error.ends_with("only `convert` makes a new list<Part> of it"), "{error}");
            let error = old.convert::<List<Text>>("parts", tx).unwrap_err().to_string();
            assert!(error.contains("is list<Part>, and was asked for as list<text>"), "{error}");
            let error = old.convert::<List<super::Before>>("parts", tx).map(drop);
            assert!(error.is_ok(), "nothing need be made");
            let error = old.convert::<Map<u64, Part>>("more", tx).unwrap_err().to_string();
            assert!(error.contains("no type of the program holds a map<u64, Part>"), "{error}");
            assert!(old.elements::<super::Before>("spare", tx)?.is_empty());
            let mut sum = 0;
            for part in old.elements::<super::Before>("parts", tx)? {
                assert_eq!(&tx[part.name], "part");
                sum += u64::from(part.count);
            }
            for (key, part) in old.entries::<u32, super::Before>("more", tx)? {
                assert_eq!(key, part.count);
                sum += u64::from(part.count);
            }
            let parts: List<Part> = old.convert("parts", tx)?;
            assert_eq!(parts.len(tx)?, 3);
            Ok(Holder { parts, more: old.convert("more", tx)?, who: old.get("who")?, sum })
        }
    }
}

#[test]
fn contents_that_change_with_their_holder_are_converted_or_read() {
    use together::{Before, OldHolder, OldPerson, after};
    let folder = Folder::new();
    folder.write::<OldHolder>(|tx| {
        for _ in 0..50 {
            let [name, inner] = ["person", "part"].map(|text| tx.text(text).unwrap());
            let who = tx.insert(OldPerson { name }).unwrap();
            let (parts, more) = (tx.list().unwrap(), tx.map().unwrap());
            parts.push(tx, Before { count: 1, name: inner }).unwrap();
            for count in 2..4 {
                let name = tx.text("part").unwrap();
                parts.push(tx, Before { count, name }).unwrap();
            }
            let name = tx.text("in a map").unwrap();
            more.insert(tx, 40, Before { count: 40, name }).unwrap();
            tx.insert(OldHolder { parts, more, who, spare: None }).unwrap();
        }
    });
    let heap = folder.open::<after::Holder>();
    let read = heap.read();
    assert_eq!(read.count::<after::Holder>().unwrap(), 50);
    for (_, holder) in read.iter::<after::Holder>().unwrap() {
        assert_eq!(holder.sum, 46);
        let parts = &read[holder.parts];
        assert_eq!(parts.iter().map(|part| part.count).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(&read[parts[2].name], "part");
        assert!(read[parts[0].extra].is_empty());
        assert_eq!(&read[holder.more.get(&read, &40).unwrap().unwrap().name], "in a map");
        assert_eq!((&read[read[holder.who].name], read[holder.who].logins), ("person", 0));
    }
}

/// Records that are enums.
mod shapes {
    use heap::Record;

    #[derive(Record)]
    #[record(name = "Shape")]
    #[repr(u8)]
    pub enum Old {
        Circle { radius: f64 },
        Square(u32),
        Point,
    }

    pub mod new {
        use heap::{OldRecord, Record, Result, Transaction};

        #[derive(Record)]
        #[record(hook = grow)]
        pub struct Shape {
            pub area: f64,
        }

        fn grow(old: &OldRecord<'_>, _: &mut Transaction<'_>) -> Result<Shape> {
            assert_eq!(old.fields().count(), 0);
            let area = match old.variant("")? {
                "Circle" => 3.0 * old.get::<f64>("::Circle.radius")?.powi(2),
                "Square" => f64::from(old.get::<u32>("::Square.0")?).powi(2),
                _ => {
                    let error = old.get::<u32>("::Square.0").unwrap_err().to_string();
                    assert_eq!(error, "old field Shape::Square.0: the value is Point, not Square");
                    let error = old.get::<u32>("radius").unwrap_err().to_string();
                    assert!(error.contains("is an enum of Circle, Square, Point"), "{error}");
                    0.0
                }
            };
            Ok(Shape { area })
        }
    }
}

#[test]
fn an_enum_is_read_by_its_variants() {
    use shapes::{Old, new};
    let folder = Folder::new();
    folder.write::<Old>(|tx| {
        for old in [Old::Circle { radius: 2.0 }, Old::Square(3), Old::Point] {
            tx.insert(old).unwrap();
        }
    });
    let heap = folder.open::<new::Shape>();
    let read = heap.read();
    let areas: Vec<f64> = read.iter::<new::Shape>().unwrap().map(|(_, shape)| shape.area).collect();
    assert_eq!(areas, [12.0, 9.0, 0.0]);
}

mod astray {
    use std::sync::OnceLock;

    use heap::{Heap, List, Map, OldRecord, Record, Result, Transaction};

    use super::together::{Before, after::Part};

    pub static OTHER: OnceLock<&'static Heap> = OnceLock::new();

    #[derive(Record)]
    #[record(hook = hold)]
    pub struct Holder {
        pub parts: List<Part>,
        pub more: Map<u32, Part>,
    }

    /// Asks another heap for what this one's record owns.
    fn hold(old: &OldRecord<'_>, tx: &mut Transaction<'_>) -> Result<Holder> {
        let mut other = OTHER.get().unwrap().write()?;
        let errors = [
            old.elements::<Before>("parts", &mut other).map(drop).unwrap_err(),
            old.entries::<u32, Before>("more", &mut other).map(drop).unwrap_err(),
            old.convert::<List<Part>>("parts", &mut other).map(drop).unwrap_err(),
            old.convert::<Map<u32, Part>>("more", &mut other).map(drop).unwrap_err(),
        ];
        for error in errors {
            assert!(error.to_string().ends_with("cannot be read with another heap's transaction"), "{error}");
        }
        Ok(Holder { parts: old.convert("parts", tx)?, more: old.convert("more", tx)? })
    }
}

/// What a record owned was looked for in whatever heap the hook's transaction was of, without asking what is there: the
/// same handle may be that of a text, whose length was then taken for the number of a list's shape, and its characters
/// for a handle.
#[test]
fn old_records_are_not_read_with_another_heaps_transaction() {
    use heap::Options;
    use together::{Before, OldHolder, OldPerson};
    // The same seed makes the same handles.
    let open = |path: PathBuf| {
        let options =
            Options { seed: Some(7), types: Some(heap::Types::of::<OldHolder>().unwrap()), ..Options::default() };
        Heap::open_with(path, options).unwrap()
    };
    let folders = [Folder::new(), Folder::new()];
    let [heap, other] = [&folders[0], &folders[1]].map(|folder| open(folder.heap()));
    let mut tx = heap.write().unwrap();
    let name = tx.text("person").unwrap();
    let who = tx.insert(OldPerson { name }).unwrap();
    let (parts, more) = (tx.list().unwrap(), tx.map().unwrap());
    for count in 0..3 {
        let [name, value] = ["part", "value"].map(|text| tx.text(text).unwrap());
        parts.push(&mut tx, Before { count, name }).unwrap();
        more.insert(&mut tx, count, Before { count, name: value }).unwrap();
    }
    tx.insert(OldHolder { parts, more, who, spare: None }).unwrap();
    tx.commit().unwrap();
    drop(heap);
    let mut tx = other.write().unwrap();
    for len in 0..100 {
        let name = tx.text(&"x".repeat(len)).unwrap();
        tx.insert(OldPerson { name }).unwrap();
    }
    tx.commit().unwrap();
    astray::OTHER.set(Box::leak(Box::new(other))).unwrap();
    let heap = folders[0].open::<astray::Holder>();
    let read = heap.read();
    assert!(read.iter::<astray::Holder>().unwrap().all(|(_, holder)| read[holder.parts].len() == 3));
}

mod bracket {
    use heap::{OldRecord, Record, Result, Text, Transaction};

    #[derive(Record)]
    #[record(hook = read)]
    pub struct Task {
        pub new: u32,
    }

    fn read(old: &OldRecord<'_>, tx: &mut Transaction<'_>) -> Result<Task> {
        old.elements::<Text>("tags", tx)?;
        let error = old.get::<Text>("tags[text]").unwrap_err().to_string();
        assert!(error.contains("no such field"), "{error}");
        let entries = old.entries::<u32, u64>("counts", tx)?;
        assert!(old.get::<u32>("counts[u32]").is_err());
        Ok(Task { new: entries.len() as u32 })
    }
}

/// How a list's elements are read was remembered under a name that a path could have: so asked for, the record's first
/// bytes were taken for an element.
#[test]
fn a_path_that_looks_like_a_lists_elements_is_none() {
    use parts::{First, User};
    let folder = Folder::new();
    folder.write::<(First, User)>(|tx| tasks(tx, 3));
    let heap = folder.open::<bracket::Task>();
    assert!(heap.read().iter::<bracket::Task>().unwrap().all(|(_, task)| task.new == 1));
}

/// A struct in a record and in a list, and one of the same name that has fewer fields.
mod fewer {
    use heap::{List, Record};

    #[derive(Record, Clone, Copy)]
    #[record(name = "Spot")]
    pub struct Spot {
        pub x: u32,
        pub y: u32,
    }

    #[derive(Record)]
    #[record(name = "Task")]
    pub struct Before {
        pub spot: Spot,
        pub spots: List<Spot>,
        pub number: u32,
    }

    pub mod after {
        use heap::{List, OldRecord, Record, Result, Transaction};

        #[derive(Record, Clone, Copy)]
        #[record(name = "Spot")]
        pub struct Spot {
            pub x: u32,
        }

        #[derive(Record)]
        #[record(hook = read)]
        pub struct Task {
            pub count: u32,
        }

        fn read(old: &OldRecord<'_>, tx: &mut Transaction<'_>) -> Result<Task> {
            let number = old.get::<u32>("number")?;
            assert_eq!(old.get::<super::Spot>("spot")?.y, number);
            let spot = old.get::<Spot>("spot");
            let spots = old.elements::<Spot>("spots", tx);
            let made = old.convert::<List<Spot>>("spots", tx);
            assert_eq!((spot.is_ok(), spots.is_ok()), (number == 0, number == 0));
            assert!(made.is_err());
            Ok(Task { count: 1 })
        }
    }
}

#[test]
fn what_a_narrower_struct_would_lose_is_not_read_as_one() {
    let folder = Folder::new();
    folder.write::<fewer::Before>(|tx| {
        for number in 0..3 {
            let spot = fewer::Spot { x: 1, y: number };
            let spots = tx.list_from([spot]).unwrap();
            tx.insert(fewer::Before { spot, spots, number }).unwrap();
        }
    });
    let heap = folder.open::<fewer::after::Task>();
    assert_eq!(heap.read().count::<fewer::after::Task>().unwrap(), 3);
}

mod noted {
    use heap::Record;

    #[derive(Record)]
    pub struct Task {
        pub id: u32,
        pub place: Place,
        pub note: u64,
    }

    #[derive(Record)]
    pub struct Place {
        pub x: u32,
        pub floor: u32,
    }
}

/// A hook that was written for another layout was run on records of this one, and what its old type has no field for was
/// lost without a word: here the note, and the floor.
mod half_seen {
    use heap::{Record, Result, Transaction};

    #[derive(Record)]
    #[record(hook = from_before)]
    pub struct Task {
        pub id: u64,
        pub x: u32,
    }

    #[derive(Record)]
    #[record(name = "Task")]
    pub struct Before {
        pub id: u32,
        pub place: Place,
    }

    #[derive(Record)]
    pub struct Place {
        pub x: u32,
    }

    fn from_before(old: &Before, _: &mut Transaction<'_>) -> Result<Task> {
        Ok(Task { id: old.id.into(), x: old.place.x })
    }
}

/// The same, by a program that says so.
mod said {
    use heap::{Record, Result, Transaction};

    #[derive(Record)]
    #[record(hook = from_before)]
    pub struct Task {
        pub id: u64,
        pub x: u32,
    }

    #[derive(Record)]
    #[record(name = "Task", dropped("note"))]
    pub struct Before {
        pub id: u32,
        pub place: Place,
    }

    #[derive(Record)]
    #[record(dropped("floor"))]
    pub struct Place {
        pub x: u32,
    }

    fn from_before(old: &Before, _: &mut Transaction<'_>) -> Result<Task> {
        Ok(Task { id: old.id.into(), x: old.place.x })
    }
}

#[test]
fn what_a_hook_is_not_shown_is_not_lost_unless_it_says_so() {
    let folder = Folder::new();
    folder.write::<noted::Task>(|tx| {
        let place = noted::Place { x: 3, floor: 9 };
        let task = tx.insert(noted::Task { id: 7, place, note: 5 }).unwrap();
        tx.set_root("task", task).unwrap();
    });
    let before = std::fs::read(folder.heap()).unwrap();
    let refused = Heap::open_as::<half_seen::Task>(folder.heap()).unwrap_err().to_string();
    assert!(refused.contains("Task.note") || refused.contains("Place.floor"), "{refused}");
    assert!(refused.contains("dropped("), "{refused}");
    assert!(std::fs::read(folder.heap()).unwrap() == before);
    let heap = folder.open::<said::Task>();
    let read = heap.read();
    let task = &read[read.root::<said::Task>("task").unwrap().unwrap()];
    assert_eq!((task.id, task.x), (7, 3));
}
