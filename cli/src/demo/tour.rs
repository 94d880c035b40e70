//! The tour on the screen: numbered steps, each with what was typed, what came back, and how long it took.

use std::time::Instant;

use serde_json::{Value, json};

use crate::escape::visible;
use crate::failure::Failure;
use crate::figures;
use crate::output::Output;

/// Prints the steps; as JSON, one object a line.
pub(crate) struct Tour<'a> {
    output: &'a mut Output,
    steps: u32,
}

/// A step that has begun.
pub(crate) struct Step {
    name: &'static str,
    begun: Instant,
    commands: Vec<String>,
}

impl<'a> Tour<'a> {
    /// A tour without steps.
    pub(crate) fn new(output: &'a mut Output) -> Self {
        Self { output, steps: 0 }
    }

    /// Begins a step. Its title is on the screen before anything happens.
    pub(crate) fn begin(&mut self, name: &'static str, title: &str) -> Result<Step, Failure> {
        self.steps += 1;
        if !self.output.is_json() {
            self.output.line(format_args!("{}. {title}", self.steps))?;
            self.output.flush()?;
        }
        Ok(Step { name, begun: Instant::now(), commands: Vec::new() })
    }

    /// Shows a command as the reader would type it, and what it printed.
    pub(crate) fn typed(&mut self, step: &mut Step, command: &str, printed: &str) -> Result<(), Failure> {
        step.commands.push(command.to_owned());
        if self.output.is_json() {
            return Ok(());
        }
        self.output.line(format_args!("   $ {}", visible(command)))?;
        printed.lines().try_for_each(|line| self.output.line(format_args!("   {}", visible(line))))
    }

    /// Ends a step with what it showed, in words and as facts.
    pub(crate) fn end(&mut self, step: Step, shown: &str, facts: &Value) -> Result<(), Failure> {
        let time = step.begun.elapsed();
        if self.output.is_json() {
            let (number, name, commands) = (self.steps, step.name, step.commands);
            let seconds = time.as_secs_f64();
            let line = json!({"step": number, "name": name, "seconds": seconds, "commands": commands, "facts": facts});
            return self.output.json(&line);
        }
        self.output.line(format_args!("   {} ({})\n", visible(shown), figures::duration(time)))?;
        self.output.flush()
    }
}
