//! The program of the tour: a heap with the packages of a Cargo.lock, and tokens that move between them.
//!
//! Each package starts with the same number of tokens, and each transaction moves some from one to another and
//! counts itself. So in every committed state the sum is the same, and a state in which it is not was never
//! committed. The program speaks on standard output, a line for each thing it says ([`Said`]), and runs until it is
//! killed; it ends by itself when nobody listens any more.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use heap::{Durability, Heap, List, Record, Ref, Text};

use crate::demo::lockfile::{self, Package};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Tokens that each package starts with.
pub(crate) const TOKENS: u64 = 1_000;

/// What the program takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The heap, or with --check also an image.
    heap: PathBuf,
    /// The Cargo.lock.
    #[arg(long)]
    input: Option<PathBuf>,
    /// Only open what is there and say what it holds.
    #[arg(long)]
    check: bool,
}

/// What the program says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// The heap is built, or was opened, and holds this.
    Ready(Ledger),
    /// So many transfers are committed by now.
    Transfers(u64),
}

/// What the heap holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// Records of type Package.
    pub(crate) packages: u64,
    /// The sum of their tokens.
    pub(crate) tokens: u64,
    /// Transfers committed.
    pub(crate) transfers: u64,
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ready(Ledger { packages, tokens, transfers }) => write!(f, "ready {packages} {tokens} {transfers}"),
            Self::Transfers(number) => write!(f, "transfers {number}"),
        }
    }
}

impl FromStr for Said {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| format!("not understood: {line}"));
        match words.as_slice() {
            ["ready", packages, tokens, transfers] => {
                let (packages, tokens, transfers) = (number(packages)?, number(tokens)?, number(transfers)?);
                Ok(Self::Ready(Ledger { packages, tokens, transfers }))
            }
            ["transfers", digits] => Ok(Self::Transfers(number(digits)?)),
            _ => Err(format!("not understood: {line}")),
        }
    }
}

impl Ledger {
    /// The law that every committed state keeps.
    ///
    /// # Errors
    /// IMG-0110 when it is broken.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.tokens == self.packages * TOKENS {
            return Ok(());
        }
        let cause = format!("{} packages hold {} tokens, not {TOKENS} each on average", self.packages, self.tokens);
        Err(Failure::new("IMG-0110", "the sum of the tokens changed").cause(cause))
    }
}

/// Runs the program.
pub(crate) fn run(options: &Options, output: &mut Output) -> Result<Exit, Failure> {
    let mut say = |said: Said| {
        output.line(said)?;
        output.flush()?;
        Ok(if output.reader_left() { Listener::Gone } else { Listener::There })
    };
    if options.check {
        say(Said::Ready(count(&open(&options.heap)?)?))?;
        return Ok(Exit::Done);
    }
    let packages = lockfile::read(options.input.as_deref())?;
    let heap = Heap::open(&options.heap)?;
    build(&heap, &packages)?;
    say(Said::Ready(count(&heap)?))?;
    transfer(&heap, &mut say)?;
    Ok(Exit::Done)
}

/// Does anybody read what the program says?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listener {
    There,
    Gone,
}

/// A package of the Cargo.lock.
#[derive(Record)]
#[record(name = "Package")]
struct Kept {
    name: Text,
    version: Text,
    checksum: Option<Text>,
    dependencies: List<Ref<Kept>>,
    tokens: u64,
}

/// The root: how often tokens moved, and the packages in the order of the Cargo.lock.
#[derive(Record)]
#[record(name = "Ledger")]
struct Book {
    transfers: u64,
    packages: List<Ref<Kept>>,
}

/// Name of the root.
const LEDGER: &str = "ledger";
/// How often the program says what it did.
const BETWEEN_WORDS: Duration = Duration::from_millis(50);
/// One commit in so many waits for the disk; a process that is killed loses none of the others either.
const SYNCED: u64 = 64;

/// Makes a record for each package, in one transaction.
fn build(heap: &Heap, packages: &[Package]) -> heap::Result<()> {
    let mut tx = heap.write()?;
    let mut kept = Vec::with_capacity(packages.len());
    for package in packages {
        let (name, version) = (tx.text(&package.name)?, tx.text(&package.version)?);
        let checksum = package.checksum.as_ref().map(|digits| tx.text(digits)).transpose()?;
        let dependencies = tx.list_with_capacity(package.dependencies.len())?;
        kept.push(tx.insert(Kept { name, version, checksum, dependencies, tokens: TOKENS })?);
    }
    for (package, &record) in packages.iter().zip(&kept) {
        let dependencies = tx[record].dependencies;
        dependencies.extend(&mut tx, package.dependencies.iter().map(|&position| kept[position]))?;
    }
    let packages = tx.list_from(kept)?;
    let book = tx.insert(Book { transfers: 0, packages })?;
    tx.set_root(LEDGER, book)?;
    tx.commit()?;
    Ok(())
}

/// Moves tokens until nobody listens, and says several times a second how often it has.
fn transfer(heap: &Heap, say: &mut dyn FnMut(Said) -> Result<Listener, Failure>) -> Result<(), Failure> {
    let (book, packages) = {
        let read = heap.read();
        let book = ledger_of(&read)?;
        (book, read[read[book].packages].to_vec())
    };
    let mut random = Random(0x001e_d9e7);
    let mut spoken = Instant::now();
    loop {
        let from = packages[random.below(packages.len())];
        let to = packages[random.below(packages.len())];
        let mut tx = heap.write()?;
        let amount = tx[from].tokens.min(1 + random.below(10) as u64);
        tx[from].tokens -= amount;
        tx[to].tokens += amount;
        tx[book].transfers += 1;
        let number = tx[book].transfers;
        tx.commit_with(if number.is_multiple_of(SYNCED) { Durability::Disk } else { Durability::Process })?;
        if spoken.elapsed() >= BETWEEN_WORDS {
            spoken = Instant::now();
            if say(Said::Transfers(number))? == Listener::Gone {
                return Ok(());
            }
        }
    }
}

fn ledger_of(read: &heap::Read<'_>) -> heap::Result<Ref<Book>> {
    read.root(LEDGER)?.ok_or_else(|| heap::Error::RootType {
        name: LEDGER.into(),
        found: "root that is not there".into(),
        asked: "Ledger".into(),
    })
}

/// Opens a heap, recovering it where needed, or an image.
fn open(file: &Path) -> heap::Result<Heap> {
    match Heap::open(file) {
        Err(heap::Error::WrongDoor { .. }) => Heap::open_image(file),
        opened => opened,
    }
}

/// Counts what is there.
fn count(heap: &Heap) -> heap::Result<Ledger> {
    let read = heap.read();
    let book = ledger_of(&read)?;
    let tokens = read.iter::<Kept>()?.map(|(_, package)| package.tokens).sum();
    Ok(Ledger { packages: read.count::<Kept>()?, tokens, transfers: read[book].transfers })
}

/// Numbers that look random, the same each time: xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let ledger = Ledger { packages: 131, tokens: 131_000, transfers: 7 };
        for said in [Said::Ready(ledger), Said::Transfers(u64::MAX)] {
            assert_eq!(said.to_string().parse(), Ok(said));
        }
        for noise in ["", "ready", "ready 1 2", "ready 1 2 x", "transfers -1", "error[IMG-0708]: x"] {
            assert!(noise.parse::<Said>().is_err(), "{noise}");
        }
    }

    #[test]
    fn a_lost_token_breaks_the_law() {
        let ledger = Ledger { packages: 131, tokens: 131_000, transfers: 7 };
        assert_eq!(ledger.check(), Ok(()));
        assert_eq!(Ledger { tokens: 130_999, ..ledger }.check().unwrap_err().code, "IMG-0110");
    }
}
