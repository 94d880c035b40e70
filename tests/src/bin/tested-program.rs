//! The program that the tests kill and dump: a bank that never rests.
//!
//! `tested-program HEAP [NAME=NUMBER]…`. It prints `ready`, then the number of each transaction after its commit
//! returned, a line in one write each, and ends when nobody reads them.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use heap::{Durability, Heap, Options, Types};
use tests::bank::{self, Account, Bank, Bulk, Random, Walker};

/// What the words say.
struct Wishes {
    heap: PathBuf,
    seed: u64,
    /// The heap is opened through the mapped door.
    mapped: bool,
    /// A bank as it was before is migrated.
    migrate: bool,
    /// One transaction in so many is of strength Disk.
    disk: u64,
    bulk: Bulk,
    /// One transaction in so many is told.
    told: u64,
    /// Pause between checkpoints that the program asks for, in microseconds; 0: it asks for none.
    checkpoint: u64,
    log_target: u64,
    log_limit: u64,
}

fn wishes() -> Wishes {
    let mut words = std::env::args().skip(1);
    let heap = words.next().expect("the heap's path").into();
    let options = Options::default();
    let mut wishes = Wishes {
        heap,
        seed: 1,
        mapped: false,
        migrate: false,
        disk: 8,
        bulk: Bulk::Never,
        told: 1,
        checkpoint: 0,
        log_target: options.log_target,
        log_limit: options.log_limit,
    };
    for word in words {
        let (name, number) = word.split_once('=').expect("NAME=NUMBER");
        let number = number.parse().expect("a number");
        match name {
            "seed" => wishes.seed = number,
            "mapped" => wishes.mapped = number == 1,
            "migrate" => wishes.migrate = number == 1,
            "disk" => wishes.disk = number,
            "bulk" => wishes.bulk = Bulk::OneIn(number),
            "told" => wishes.told = number,
            "checkpoint" => wishes.checkpoint = number,
            "log-target" => wishes.log_target = number,
            "log-limit" => wishes.log_limit = number,
            other => panic!("nothing is named {other}"),
        }
    }
    wishes
}

#[allow(unsafe_code)]
fn open(wishes: &Wishes, options: Options) -> heap::Result<Heap> {
    if !wishes.mapped {
        return Heap::open_with(&wishes.heap, options);
    }
    // SAFETY: the file lies in a test's own folder; programs like this one wrote it, one at a time, and nobody else
    // changes it.
    unsafe { Heap::open_mapped(&wishes.heap, options) }
}

fn main() -> heap::Result<()> {
    let wishes = wishes();
    let Wishes { log_target, log_limit, .. } = wishes;
    let types = if wishes.migrate { Some(Types::of::<(Bank, Account, Walker)>()?) } else { None };
    let options = Options { log_target, log_limit, types, wait: Duration::from_secs(5), ..Options::default() };
    let heap = Arc::new(open(&wishes, options)?);
    let bank = bank::found(&heap)?;
    if wishes.checkpoint > 0 {
        let heap = Arc::clone(&heap);
        std::thread::spawn(move || {
            while heap.checkpoint().is_ok() {
                std::thread::sleep(Duration::from_micros(wishes.checkpoint));
            }
        });
    }
    let mut out = std::io::stdout();
    if out.write_all(b"ready\n").and_then(|()| out.flush()).is_err() {
        return Ok(());
    }
    let mut random = Random(wishes.seed);
    for number in 1_u64.. {
        let disk = random.below(wishes.disk) == 0;
        let durability = if disk { Durability::Disk } else { Durability::Process };
        let (commits, _) = bank::step(&heap, bank, &mut random, durability, wishes.bulk)?;
        if number.is_multiple_of(wishes.told) {
            let told = out.write_all(format!("{commits}\n").as_bytes());
            if told.and_then(|()| out.flush()).is_err() {
                break;
            }
        }
    }
    Ok(())
}
