//! The program of the tour: a heap with the packages of a Cargo.lock, and tokens that move between them.
//!
//! Each package starts with the same number of tokens, and each transaction moves some from one to another and
//! counts itself. So in every committed state the sum is the same, and a state in which it is not was never
//! committed. The program speaks on standard output, a line for each thing it says ([`Said`]), and runs until it is
//! killed; it ends by itself when nobody listens any more.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;

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
        say(Said::Ready(count(&options.heap)?))?;
        return Ok(Exit::Done);
    }
    let packages = lockfile::read(options.input.as_deref())?;
    say(Said::Ready(build(&options.heap, &packages)?))?;
    transfer(&options.heap, &mut say)?;
    Ok(Exit::Done)
}

/// Does anybody read what the program says?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listener {
    There,
    Gone,
}

/// Makes the heap and a record for each package, in one transaction.
fn build(heap: &Path, packages: &[Package]) -> Result<Ledger, Failure> {
    let _ = packages;
    not_here(heap)
}

/// Moves tokens until nobody listens, and says several times a second how often it has.
fn transfer(heap: &Path, say: &mut dyn FnMut(Said) -> Result<Listener, Failure>) -> Result<Infallible, Failure> {
    let _ = say;
    not_here(heap)
}

/// Opens a heap, recovering it where needed, or an image, and counts what it holds.
fn count(file: &Path) -> Result<Ledger, Failure> {
    not_here(file)
}

fn not_here<T>(heap: &Path) -> Result<T, Failure> {
    Err(Failure::new("IMG-0708", "this build has no part for the tour")
        .cause(format!("{} was not made", heap.display())))
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
