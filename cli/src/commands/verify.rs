//! `image verify`.

use std::path::PathBuf;

use serde::Serialize;

use crate::escape::visible;
use crate::explain;
use crate::failure::{Exit, Failure};
use crate::figures;
use crate::library;
use crate::output::Output;

/// What `image verify` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A heap file or an image
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// What was checked and found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The file.
    pub(crate) file: String,
    /// Blocks whose checksum was compared.
    pub(crate) blocks: u64,
    /// Live records.
    pub(crate) records: u64,
    /// References in them.
    pub(crate) references: u64,
    /// References to records that were removed, which is legal.
    pub(crate) stale_references: u64,
    /// Types.
    pub(crate) types: u64,
    /// Were fields marked secret left out?
    pub(crate) redacted: bool,
    /// What is damaged, in the order of the file.
    pub(crate) damages: Vec<Damage>,
    /// Damaged places beyond those listed.
    pub(crate) further_damages: u64,
}

/// A damaged place.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Damage {
    /// `IMG-04nn`.
    pub(crate) code: &'static str,
    /// Where.
    pub(crate) at: String,
    /// What is wrong.
    pub(crate) what: String,
}

/// Checks the file.
pub(crate) fn run(options: &Options, output: &mut Output) -> Result<Exit, Failure> {
    let report = library::verify(&options.file)?;
    report.print(output)?;
    report.verdict()
}

impl Report {
    /// Of a file in which nothing was found yet.
    pub(crate) fn of(file: String) -> Self {
        Self {
            file,
            blocks: 0,
            records: 0,
            references: 0,
            stale_references: 0,
            types: 0,
            redacted: false,
            damages: Vec::new(),
            further_damages: 0,
        }
    }

    /// With one more damaged place.
    pub(crate) fn with(mut self, damage: Damage) -> Self {
        self.damages.push(damage);
        self
    }

    fn print(&self, output: &mut Output) -> Result<(), Failure> {
        if output.is_json() {
            return output.json(self);
        }
        if self.damages.is_empty() {
            return output.line(self.summary());
        }
        for damage in &self.damages {
            output.line(format_args!("{}  {}: {}", damage.code, visible(&damage.at), visible(&damage.what)))?;
        }
        if self.further_damages > 0 {
            output.line(format_args!("… and {} more", figures::count(self.further_damages)))?;
        }
        Ok(())
    }

    fn summary(&self) -> String {
        let checked = [
            figures::counted(self.blocks, "block"),
            figures::counted(self.records, "record"),
            figures::counted(self.references, "reference"),
            figures::counted(self.types, "type"),
        ];
        let stale = match self.stale_references {
            0 => String::new(),
            some => format!("; {} to removed records", figures::counted(some, "reference")),
        };
        format!("ok: {}{stale}{}; no damage", checked.join(", "), if self.redacted { "; redacted" } else { "" })
    }

    /// Damage is a failure with the code of the first place.
    fn verdict(&self) -> Result<Exit, Failure> {
        let Some(first) = self.damages.first() else { return Ok(Exit::Done) };
        let places = figures::counted(self.damages.len() as u64 + self.further_damages, "place");
        let code = explain::find(first.code).map_or("IMG-0405", |explanation| explanation.code);
        Err(Failure::new(code, format!("{} is damaged in {places}", self.file))
            .cause(format!("{}: {}", first.at, first.what)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            file: "board.img".into(),
            blocks: 1_968,
            records: 1_107_540,
            references: 5_196_872,
            stale_references: 0,
            types: 14,
            redacted: true,
            damages: Vec::new(),
            further_damages: 0,
        }
    }

    #[test]
    fn a_whole_file_is_ok() {
        let expected = "ok: 1,968 blocks, 1,107,540 records, 5,196,872 references, 14 types; redacted; no damage";
        assert_eq!(report().summary(), expected);
        assert_eq!(report().verdict(), Ok(Exit::Done));
    }

    #[test]
    fn damage_fails_with_the_code_of_the_first_place() {
        let at = |at: &str| Damage { code: "IMG-0403", at: at.into(), what: "checksum".into() };
        let damaged = Report { damages: vec![at("offset 16384"), at("offset 32768")], further_damages: 7, ..report() };
        let failure = damaged.verdict().unwrap_err();
        assert_eq!((failure.code, failure.exit), ("IMG-0403", Exit::Damaged));
        assert_eq!(failure.message, "board.img is damaged in 9 places");
    }
}
