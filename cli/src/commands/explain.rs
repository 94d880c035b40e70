//! `image explain [IMG-nnnn]`.

use crate::escape::visible;
use crate::explain::{CATALOGUE, Explanation, find};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::table::{Align, Table};

/// What `image explain` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The code, such as IMG-0403 or only 0403; without one, all are listed
    code: Option<String>,
}

/// Explains one code, or lists them all.
pub(crate) fn run(options: &Options, output: &mut Output) -> Result<Exit, Failure> {
    match &options.code {
        Some(given) => one(find_as_typed(given)?, output)?,
        None => all(output)?,
    }
    Ok(Exit::Done)
}

fn find_as_typed(given: &str) -> Result<&'static Explanation, Failure> {
    let code = given.to_ascii_uppercase();
    let code = if code.starts_with("IMG-") { code } else { format!("IMG-{code:0>4}") };
    find(&code).ok_or_else(|| {
        Failure::new("IMG-0505", format!("there is no error code {given}")).help("image explain lists all codes")
    })
}

fn one(explanation: &Explanation, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.json(explanation);
    }
    let Explanation { code, exit, title, meaning, remedy } = explanation;
    output.line(format_args!("{code}: {title} (exit code {})", *exit as u8))?;
    for (heading, text) in [("what it means", meaning), ("what to do", remedy)] {
        output.line("")?;
        output.line(heading)?;
        for line in wrapped(text, 76) {
            output.line(format_args!("  {}", visible(&line)))?;
        }
    }
    Ok(())
}

fn all(output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return CATALOGUE.iter().try_for_each(|explanation| output.json(explanation));
    }
    let mut table = Table::new(&[("CODE", Align::Left), ("EXIT", Align::Right), ("MEANING", Align::Left)]);
    for explanation in CATALOGUE {
        table.row([explanation.code.into(), (explanation.exit as u8).to_string(), explanation.title.into()]);
    }
    output.table(&table)
}

/// Cuts at spaces into lines of at most `width` bytes, where words allow it.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut().filter(|line| line.len() + 1 + word.len() <= width) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_as_people_type_them() {
        for typed in ["IMG-0403", "img-0403", "0403", "403"] {
            assert_eq!(find_as_typed(typed).map(|found| found.code), Ok("IMG-0403"), "{typed}");
        }
        assert_eq!(find_as_typed("IMG-9999").unwrap_err().code, "IMG-0505");
    }

    #[test]
    fn wrapping_loses_no_word() {
        let text = "one two three four-and-a-very-long-word five";
        let lines = wrapped(text, 10);
        assert_eq!(lines.join(" "), text);
        assert!(lines.iter().all(|line| line.len() <= 10 || !line.contains(' ')));
    }
}
