//! A migration that may not be made: what stands against it, and what to write.

use std::path::Path;

use migrate::{Choice, Question, Refusal};

use super::questions::values_found;
use crate::failure::Failure;
use crate::figures;

/// As a failure. `yes` says that the answers were to be guessed, which is never done.
pub(super) fn failure(refusal: &Refusal, file: &Path, yes: bool) -> Failure {
    let file = file.display();
    let Refusal { faults, questions, failures } = refusal;
    let asked = questions.iter().map(|(question, found)| {
        let (place, what) = (&question.place, &question.what);
        match (found, values_found(found.as_ref())) {
            (Some(found), _) if question.rule == Question::LOSSY => format!("{place}: {what}, {found}"),
            (_, Some(count)) => format!("{place} ({}): {what}", figures::counted(count, "value")),
            _ => format!("{place}: {what}"),
        }
    });
    let said = faults.iter().map(|fault| format!("{}: {}", fault.place, fault.what));
    let found = failures.iter().map(|failure| format!("{}: {failure}", failure.place));
    let mut causes: Vec<String> = said.chain(found).chain(asked).collect();
    if yes && !questions.is_empty() {
        causes.push("--yes never guesses about data".into());
    }
    let message = if !faults.is_empty() {
        format!("{} cannot be followed; nothing was changed", figures::counted(faults.len() as u64, "rule or answer"))
    } else if !failures.is_empty() {
        format!("{} would lose values; nothing was changed", figures::counted(failures.len() as u64, "change"))
    } else if questions.len() == 1 {
        "1 ambiguous change needs an answer; nothing was changed".into()
    } else {
        format!("{} ambiguous changes need answers; nothing was changed", questions.len())
    };
    let mut help: Vec<String> =
        failures.iter().map(|failure| format!("mend the records, or write a hook for {}", failure.name)).collect();
    if !faults.is_empty() {
        help.push(format!("correct the attributes of the types, or {file}"));
    }
    let mut lines = Vec::new();
    for (question, _) in questions {
        let ways = |way: fn(&Choice) -> Option<&String>| {
            question.choices.iter().filter_map(way).cloned().collect::<Vec<_>>().join("   or   ")
        };
        match ways(|choice| choice.answer.as_ref()) {
            answers if answers.is_empty() => help.push(format!("write {}", ways(|choice| choice.code.as_ref()))),
            answers => lines.push(answers),
        }
    }
    if !lines.is_empty() {
        let pronoun = if lines.len() == 1 { "it" } else { "them" };
        help.push(format!("answer {pronoun} in {file}:  {}", lines.join(";   ")));
    }
    help.dedup();
    Failure::new("IMG-0703", message).cause(causes.join("; ")).help(help.join("; "))
}
