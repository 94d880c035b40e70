//! Asking a person at a terminal about what nobody has said.

use std::io::{self, BufRead, Write};
use std::path::Path;

use migrate::{Answers, Choice, Plan, Question, Refusal};

use crate::commands::show;
use crate::escape::visible;
use crate::failure::Failure;
use crate::figures;
use crate::library;

/// Values that are listed.
const LISTED: usize = 20;
/// What stands in an answer for something to be typed.
const GAP: &str = "\"…\"";

/// Asks every question of a refusal. `None` when the person would rather not.
pub(super) fn ask(
    heap: &Path,
    plan: &Plan,
    refusal: &Refusal,
    person: &mut Person<impl BufRead, impl Write>,
) -> Result<Option<Answers>, Failure> {
    let mut given = Answers::default();
    for (question, found) in &refusal.questions {
        let asked = Asked::new(heap, plan, question)?;
        let Some(more) = asked.ask(found.as_ref(), person)? else { return Ok(None) };
        given.add(more);
    }
    Ok(Some(given))
}

/// Whether every question has an answer that a person can choose.
pub(super) fn can_be_answered(refusal: &Refusal) -> bool {
    let answerable = |question: &Question| question.choices.iter().any(|choice| key(choice).is_some());
    refusal.faults.is_empty()
        && refusal.failures.is_empty()
        && refusal.questions.iter().all(|(question, _)| answerable(question))
}

/// Who is asked.
#[derive(Debug)]
pub(super) struct Person<R, W> {
    pub(super) hears: R,
    pub(super) sees: W,
}

impl<R: BufRead, W: Write> Person<R, W> {
    fn show(&mut self, text: &str) -> Result<(), Failure> {
        let shown = self.sees.write_all(text.as_bytes()).and_then(|()| self.sees.flush());
        shown.map_err(|error| unasked(&error))
    }

    /// One line without its end; nothing at the end of the input.
    fn hear(&mut self) -> Result<Option<String>, Failure> {
        let mut line = String::new();
        match self.hears.read_line(&mut line) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(line.trim().to_owned())),
            Err(error) => Err(unasked(&error)),
        }
    }
}

fn unasked(error: &io::Error) -> Failure {
    Failure::new("IMG-0703", "a question could not be asked; nothing was changed")
        .cause(error)
        .help("write the answers into a file: --answers FILE")
}

/// A question, and the field it is about.
struct Asked<'a> {
    heap: &'a Path,
    question: &'a Question,
    /// The old type, and the path of field names in it, where its values may be shown.
    field: Option<(&'a str, &'a str)>,
    /// One of its values.
    example: Option<show::Value>,
}

impl<'a> Asked<'a> {
    fn new(heap: &'a Path, plan: &'a Plan, question: &'a Question) -> Result<Self, Failure> {
        let old = plan.types.get(question.step).and_then(|step| step.old).map(|old| &*plan.old.types[old].name);
        let field = old.and_then(|name| Some((name, question.place.strip_prefix(name)?.strip_prefix('.')?)));
        let mut asked = Self { heap, question, field, example: None };
        asked.example = asked.values(1)?.into_iter().next().map(|(_, value)| value);
        if asked.example.as_ref().is_none_or(|value| *value == show::Value::Secret) {
            (asked.field, asked.example) = (None, None);
        }
        Ok(asked)
    }

    fn ask(
        &self,
        found: Option<&migrate::Failure>,
        person: &mut Person<impl BufRead, impl Write>,
    ) -> Result<Option<Answers>, Failure> {
        let Question { place, what, .. } = self.question;
        let example = self.example.as_ref().map(|value| format!("e.g. {}", value.to_text()));
        let count = values_found(found).map(|count| figures::counted(count, "value"));
        let (shown, found) = match found {
            // Of what is rounded, the findings say what it loses.
            Some(found) if self.question.rule == Question::LOSSY => (None, format!(": {found}")),
            _ => (Some([count, example].into_iter().flatten().collect::<Vec<_>>().join(", ")), String::new()),
        };
        let shown = shown.filter(|shown| !shown.is_empty()).map_or_else(String::new, |shown| format!(" ({shown})"));
        person.show(&format!("{}{shown}: {}{}\n", visible(place), visible(what), visible(&found)))?;
        let keys = self.keys();
        loop {
            person.show(&self.menu(&keys))?;
            let Some(typed) = person.hear()? else { return Ok(None) };
            match &*typed {
                "q" => return Ok(None),
                "v" | "l" if self.field.is_some() => self.list(person)?,
                typed => {
                    let chosen = keys.iter().find(|(key, _)| key == typed);
                    if let Some((_, choice)) = chosen
                        && let Some(answers) = filled(choice, person)?
                    {
                        return Ok(Some(answers));
                    }
                }
            }
        }
    }

    /// The choices that can be made here, by what to type.
    fn keys(&self) -> Vec<(String, &'a Choice)> {
        let mut keys: Vec<(String, &Choice)> = Vec::new();
        let choosable: Vec<(char, &Choice)> =
            self.question.choices.iter().filter_map(|choice| Some((key(choice)?, choice))).collect();
        for &(letter, choice) in &choosable {
            let alike = choosable.iter().filter(|(other, _)| *other == letter).count();
            let number = keys.iter().filter(|(known, _)| known.starts_with(letter)).count() + 1;
            keys.push((if alike == 1 { letter.to_string() } else { format!("{letter}{number}") }, choice));
        }
        keys
    }

    fn menu(&self, keys: &[(String, &Choice)]) -> String {
        let mut items: Vec<String> =
            keys.iter().map(|(key, choice)| format!("[{key}] {}", visible(&choice.means))).collect();
        if self.field.is_some() {
            items.push(if self.question.rule == Question::LOSSY { "[l] list".into() } else { "[v] view".into() });
        }
        items.push("[q] quit".into());
        format!("  {}   > ", items.join("   "))
    }

    fn list(&self, person: &mut Person<impl BufRead, impl Write>) -> Result<(), Failure> {
        let values = self.values(LISTED)?;
        for (record, value) in &values {
            person.show(&format!("    {}  {}\n", visible(record), value.to_text()))?;
        }
        match values.len() {
            LISTED => person.show(&format!("    … the first {}\n", figures::count(LISTED as u64))),
            0 => person.show("    no values are shown here\n"),
            _ => Ok(()),
        }
    }

    fn values(&self, most: usize) -> Result<Vec<(String, show::Value)>, Failure> {
        let Some((type_name, field)) = self.field else { return Ok(Vec::new()) };
        let is_lossy = self.question.rule == Question::LOSSY;
        library::sample(self.heap, type_name, field, most, |value| !is_lossy || changes_when_rounded(value))
    }
}

/// Of how many values it was found that something is to be decided.
pub(super) fn values_found(found: Option<&migrate::Failure>) -> Option<u64> {
    found.and_then(|found| found.finding.as_ref()).map(|finding| finding.failed)
}

/// Whether an f64 is another number as an f32.
fn changes_when_rounded(value: &show::Value) -> bool {
    match value {
        show::Value::Float(number) => (f64::from(*number as f32)).to_bits() != number.to_bits(),
        _ => true,
    }
}

/// The letter for a choice, by what its answer says.
fn key(choice: &Choice) -> Option<char> {
    let answers = Answers::from_line(choice.answer.as_ref()?)?;
    let Some(of_type) = answers.types.values().next() else {
        return Some(if answers.drop_types.is_empty() { 'r' } else { 'd' });
    };
    let kinds = [
        (!of_type.rename.is_empty(), 'r'),
        (!of_type.drop.is_empty(), 'd'),
        (!of_type.lossy.is_empty(), 'y'),
        (!of_type.default.is_empty(), 't'),
        (!of_type.keep_secret.is_empty(), 'k'),
        (!of_type.unsecret.is_empty(), 'a'),
        (!of_type.becomes.is_empty(), 'b'),
    ];
    kinds.into_iter().find(|&(is_it, _)| is_it).map(|(_, letter)| letter)
}

/// The answers of a choice; where it has a gap, the person types what goes there.
fn filled(choice: &Choice, person: &mut Person<impl BufRead, impl Write>) -> Result<Option<Answers>, Failure> {
    let Some(line) = &choice.answer else { return Ok(None) };
    if !line.contains(GAP) {
        return Ok(Answers::from_line(line));
    }
    person.show("    the value, as in the program's source: ")?;
    let Some(typed) = person.hear()?.filter(|typed| !typed.is_empty()) else { return Ok(None) };
    let typed = typed.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(Answers::from_line(&line.replace(GAP, &format!("\"{typed}\""))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(means: &str, answer: Option<&str>) -> Choice {
        Choice { means: means.into(), code: None, answer: answer.map(str::to_owned) }
    }

    #[test]
    fn each_kind_of_answer_has_its_letter() {
        let key = |line: &str| key(&choice("", Some(line)));
        assert_eq!(key("[Node] rename = { name = \"title\" }"), Some('r'));
        assert_eq!(key("[rename] Old = \"New\""), Some('r'));
        assert_eq!(key("drop_types = [\"Audit\"]"), Some('d'));
        assert_eq!(key("[Node] lossy = [\"score\"]"), Some('y'));
        assert_eq!(key("[User] keep_secret = [\"token\"]"), Some('k'));
        assert_eq!(key("[User] unsecret = [\"token\"]"), Some('a'));
        assert_eq!(super::key(&choice("a hook", None)), None);
    }

    #[test]
    fn a_gap_is_filled_by_what_is_typed() {
        let mut person = Person { hears: &b"7\n"[..], sees: Vec::new() };
        let choice = choice("", Some("[Node] default = { flags = \"…\" }"));
        let answers = filled(&choice, &mut person).unwrap().unwrap();
        assert_eq!(answers.types["Node"].default["flags"], "7");
        assert_eq!(filled(&choice, &mut Person { hears: &b"\n"[..], sees: Vec::new() }).unwrap(), None);
        let mut person = Person { hears: &b"\"a\\b\"\n"[..], sees: Vec::new() };
        assert_eq!(filled(&choice, &mut person).unwrap().unwrap().types["Node"].default["flags"], "\"a\\b\"");
    }
}
