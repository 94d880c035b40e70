//! A heap follows the types of a program or of a schema.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use heap::{OnProgress, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use migrate::{Answers, Body, BodyStep, Fields, Fingerprint, Plan, Question, Refusal, Schema, Source};
use serde::Serialize;

use super::questions::{self, Person};
use super::{Options, answers, estimate, refusal};
use crate::escape::visible;
use crate::failure::{Exit, Failure};
use crate::figures;
use crate::library::{self, Pending, State};
use crate::output::Output;
use crate::program::{self, Files, Step};
use crate::target::{Program, Target};

/// Migrates the heap, or tells what that would do.
pub(super) fn run(options: &Options, to: &Path, output: &mut Output) -> Result<Exit, Failure> {
    let target = Target::find(to)?;
    let target = match &options.with {
        Some(newer) => target.with(newer)?,
        None => target,
    };
    if options.plan || options.check {
        let considered = Considered::new(options, target)?;
        return if options.plan { considered.print_plan(output) } else { considered.print_check(output) };
    }
    // Nobody else writes while a person thinks; the lock is taken again by whoever migrates, who plans anew under it.
    let lock = library::lock(&options.file)?;
    let mut considered = Considered::new(options, target)?;
    if considered.pending.is_none() {
        return considered.print_up_to_date(output);
    }
    considered.settle(options.yes, output)?;
    drop(lock);
    considered.apply(output)
}

/// A heap, what it is to become, and what is known about the way.
struct Considered {
    heap: PathBuf,
    target: Target,
    old: Fingerprint,
    new: Fingerprint,
    /// The file of answers.
    file: PathBuf,
    /// What is in it, and which types have hooks.
    answers: Answers,
    state: State,
    pending: Option<Pending>,
}

impl Considered {
    fn new(options: &Options, target: Target) -> Result<Self, Failure> {
        let heap = options.file.clone();
        let old = library::schema(&heap)?.fingerprint();
        let new = target.types.schema().fingerprint();
        let file = options.answers.clone().unwrap_or_else(|| answers::default_file(old, new));
        if options.answers.is_some() && options.yes {
            // A file that is named must be there, unless it is to be written.
            file.metadata().map_err(|error| Failure::reading(&file, &error))?;
        }
        let mut answers = answers::read(&file)?;
        answers.hooks.extend(target.hooks().iter().cloned());
        let (state, pending) = library::pending(&heap, &target.types, &answers)?;
        Ok(Self { heap, target, old, new, file, answers, state, pending })
    }

    fn refusal(&self) -> Option<Refusal> {
        self.pending.as_ref().and_then(|pending| pending.plan.decide(&pending.findings).err())
    }

    /// What is refused even where nobody can be asked: secrets of which nothing is said are kept then.
    fn refusal_unasked(&self) -> Option<Refusal> {
        let mut refusal = self.refusal()?;
        refusal.questions.retain(|(question, _)| question.rule != Question::SECRET);
        let is_clear = refusal.faults.is_empty() && refusal.questions.is_empty() && refusal.failures.is_empty();
        (!is_clear).then_some(refusal)
    }

    fn fingerprints(&self) -> String {
        format!("{} → {}", self.old, self.new)
    }

    fn print_plan(&self, output: &mut Output) -> Result<Exit, Failure> {
        let refusal = self.refusal();
        let exit = if refusal.is_some() { Exit::Decision } else { Exit::Done };
        if output.is_json() {
            return output.json(&self.report(refusal.as_ref())).map(|()| exit);
        }
        let Some(pending) = &self.pending else { return self.print_up_to_date(output) };
        let program = self.target.program.as_ref().map_or_else(String::new, |program| format!(" ({})", program.name));
        let time = estimate::shown(estimate::time(&pending.plan, &pending.findings));
        output.line(format_args!("from {}  to {}{}, {time}", self.old, self.new, visible(&program)))?;
        let text = pending.plan.display_with(&pending.findings).to_string();
        let (body, last) = text.trim_end().rsplit_once('\n').unwrap_or(("", text.trim_end()));
        // The plan escapes what comes from the heap, and ends by counting what it asks.
        if last.ends_with(" needed") {
            body.lines().chain([&*format!("{last}; nothing was changed")]).try_for_each(|line| output.line(line))?;
        } else {
            text.trim_end().lines().chain(["nothing was changed"]).try_for_each(|line| output.line(line))?;
        }
        Ok(exit)
    }

    fn print_check(&self, output: &mut Output) -> Result<Exit, Failure> {
        let Some(pending) = &self.pending else { return self.print_up_to_date(output) };
        let refusal = self.refusal_unasked();
        if output.is_json() {
            return output.json(&self.report(refusal.as_ref())).map(|()| Exit::No);
        }
        let how = match &refusal {
            None => {
                let time = estimate::shown(estimate::time(&pending.plan, &pending.findings));
                format!("plan answered, {time}")
            }
            Some(refusal) if refusal.faults.is_empty() && refusal.failures.is_empty() => {
                format!("{} needed", figures::counted(refusal.questions.len() as u64, "decision"))
            }
            Some(_) => "refused".to_owned(),
        };
        output.line(format_args!("pending: {} ({how})", self.fingerprints()))?;
        Ok(Exit::No)
    }

    fn print_up_to_date(&self, output: &mut Output) -> Result<Exit, Failure> {
        if output.is_json() {
            output.json(&self.report(None))?;
        } else {
            output.line(format_args!("up to date: {}", self.old))?;
        }
        Ok(Exit::Done)
    }

    fn report(&self, refusal: Option<&Refusal>) -> Report {
        let questions = refusal.map_or(&[][..], |refusal| &refusal.questions);
        let pending = self.pending.as_ref();
        Report {
            pending: pending.is_some(),
            from: format!("{:#}", self.old),
            to: format!("{:#}", self.new),
            program: self.target.program.as_ref().map(|program| program.name.clone()),
            decided: refusal.is_none(),
            refusal: refusal.map(ToString::to_string),
            plan: pending.map(|pending| pending.plan.display_with(&pending.findings).to_string()),
            estimated_seconds: pending.map(|pending| estimate::time(&pending.plan, &pending.findings).as_secs_f64()),
            questions: questions.iter().map(|(question, _)| ReportedQuestion::of(question)).collect(),
            answers: self.file.display().to_string(),
        }
    }

    /// Has everything decided that must be: by the answers that are there, or by a person at a terminal.
    fn settle(&mut self, yes: bool, output: &Output) -> Result<(), Failure> {
        let can_ask = !yes && !output.is_json() && io::stdin().is_terminal() && io::stderr().is_terminal();
        let mut asked = false;
        while let Some(refusal) = if can_ask { self.refusal() } else { self.refusal_unasked() } {
            if !can_ask || !questions::can_be_answered(&refusal) {
                return Err(refusal::failure(&refusal, &self.file, yes));
            }
            let Some(pending) = &self.pending else { break };
            let mut person = Person { hears: io::stdin().lock(), sees: io::stderr().lock() };
            let given = questions::ask(&self.heap, &pending.plan, &refusal, &mut person)?;
            let Some(given) = given else {
                return Err(Failure::new("IMG-0703", "left undecided; nothing was changed")
                    .help(format!("answer in {}, or run the command again", self.file.display())));
            };
            drop(person);
            let before = self.answers.clone();
            self.answers.add(given);
            if self.answers == before {
                return Err(refusal::failure(&refusal, &self.file, yes));
            }
            asked = true;
            (self.state, self.pending) = library::pending(&self.heap, &self.target.types, &self.answers)?;
        }
        if asked {
            answers::write(&self.file, &self.answers)?;
            let file = self.file.display().to_string();
            eprintln!("answers written to {} — commit it, then CI needs no questions", visible(&file));
        }
        Ok(())
    }

    fn apply(&self, output: &mut Output) -> Result<Exit, Failure> {
        let Some(pending) = &self.pending else { return Ok(Exit::Done) };
        let heap = visible(&self.heap.display().to_string());
        let show_bar = output.is_terminal() && !output.is_json();
        let watch = Watch::new(show_bar);
        let in_program = |program: &Program| program.after || needs_hooks(&pending.plan);
        if self.target.program.as_ref().is_some_and(in_program) {
            let answers = self.file.exists().then_some(&*self.file);
            let files = Files { answers, schema: self.target.older() };
            let told = program::migrate(&self.target.path, &self.heap, files, |step| watch.see(step));
            told.map_err(|failure| self.explained(failure))?;
        } else {
            let answers = Answers { hooks: BTreeSet::default(), ..self.answers.clone() };
            let told = watch.clone();
            let on_progress = OnProgress::new(move |progress| match progress {
                Progress::Begun { records } => told.see(Step::Begun(records)),
                Progress::Converted { records } => told.see(Step::Converted(records)),
                Progress::Committed => told.see(Step::Committed),
                _ => {}
            });
            library::migrate(&self.heap, &self.target.types, &answers, on_progress)?;
        }
        let Seen { records, took } = watch.end();
        let (references, after) = library::verified(&self.heap)?;
        if output.is_json() {
            output.json(&Done {
                migrated: true,
                from: format!("{:#}", self.old),
                to: format!("{:#}", self.new),
                rewritten: records,
                seconds: took.as_secs_f64(),
                sequence_before: self.state.sequence,
                sequence: after.sequence,
                records_before: self.state.records,
                records: after.records,
                references,
            })?;
            return Ok(Exit::Done);
        }
        let sequence = figures::count(self.state.sequence);
        output.line(format_args!("  before      {heap}@{sequence}  (kept until: image keep {heap})"))?;
        // Of few records the commit takes the time.
        let each = u32::try_from(records)
            .ok()
            .filter(|&records| records >= 1_000)
            .and_then(|records| took.checked_div(records));
        let each = each.map_or_else(String::new, |each| format!("  {}/record", figures::duration(each)));
        let rewritten = figures::counted(records, "record");
        output.line(format_args!("  rewrite     {rewritten}  {}{each}", figures::duration(took)))?;
        let counts = if after.records == self.state.records {
            "counts equal".to_owned()
        } else {
            format!("{} before, {} now", figures::counted(self.state.records, "record"), figures::count(after.records))
        };
        output.line(format_args!("  verify      references {} ok · {counts}", figures::count(references)))?;
        for place in kept_secrets(&library::schema(&self.heap)?, self.target.types.schema()) {
            output
                .line(format_args!("  note        {} stays secret, until an answer says unsecret", visible(&place)))?;
        }
        output.line(format_args!("migrated {}; undo with: image migrate {heap} --rollback", self.fingerprints()))?;
        Ok(Exit::Done)
    }

    /// What a program said, with what only the command knows.
    fn explained(&self, failure: Failure) -> Failure {
        match (failure.code, &failure.help) {
            ("IMG-0703", None) => {
                let (heap, program) = (self.heap.display(), self.target.path.display());
                failure.help(format!("image migrate {heap} --to {program} --plan"))
            }
            ("IMG-0705", _) => Failure {
                message: failure.message.replace("is unchanged", &format!("is unchanged (still {})", self.old)),
                ..failure
            },
            _ => failure,
        }
    }
}

/// The fields, and types as a whole, that a heap keeps secret although a program does not say so.
fn kept_secrets(heap: &Schema, program: &Schema) -> Vec<String> {
    let mut kept = Vec::new();
    for described in &program.types {
        let Some(known) = heap.get(&described.name) else { continue };
        if known.attributes.secret.is_some() && described.attributes.secret.is_none() {
            kept.push(described.name.clone());
        }
        let (Body::Struct(fields), Body::Struct(known)) = (&described.body, &known.body) else { continue };
        for field in fields.iter().filter(|field| field.attributes.secret.is_none()) {
            if known.iter().any(|known| known.name == field.name && known.attributes.secret.is_some()) {
                kept.push(format!("{}.{}", described.name, field.name));
            }
        }
    }
    kept
}

/// Whether records are made by the program's own code.
fn needs_hooks(plan: &Plan) -> bool {
    fn in_fields(fields: &Fields) -> bool {
        fields.made.iter().any(|made| match &made.source {
            Source::Hook => true,
            Source::Gathered(fields) => in_fields(fields),
            _ => false,
        })
    }
    plan.types.iter().any(|step| match &step.body {
        BodyStep::Hook => true,
        BodyStep::Struct(fields) => in_fields(fields),
        BodyStep::Enum(variants) => variants.iter().any(|variant| in_fields(&variant.fields)),
        _ => false,
    })
}

/// Sees how far a migration is, and shows it on a terminal.
#[derive(Debug, Clone)]
struct Watch {
    bar: ProgressBar,
    seen: Arc<Mutex<(Option<Instant>, Seen)>>,
}

/// What was seen of it.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// Records to be converted.
    records: u64,
    /// From their number's being known to the commit.
    took: Duration,
}

impl Watch {
    fn new(on_terminal: bool) -> Self {
        let target = if on_terminal { ProgressDrawTarget::stdout() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) =
            ProgressStyle::with_template("  rewrite     [{bar:30}] {human_pos} of {human_len}  {elapsed}")
        {
            bar.set_style(style.progress_chars("#- "));
        }
        Self { bar, seen: Arc::default() }
    }

    fn see(&self, step: Step) {
        let (begun, seen) = &mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match step {
            Step::Begun(records) => {
                (*begun, seen.records) = (Some(Instant::now()), records);
                self.bar.set_length(records);
            }
            // Threads may tell in any order.
            Step::Converted(records) => self.bar.set_position(records.max(self.bar.position())),
            Step::Committed => seen.took = begun.map_or(Duration::ZERO, |begun| begun.elapsed()),
        }
    }

    fn end(&self) -> Seen {
        self.bar.finish_and_clear();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

/// What a migration would do, as JSON.
#[derive(Debug, Serialize)]
struct Report {
    /// Is there anything to do?
    pending: bool,
    /// Fingerprint of the heap's schema, in hexadecimal digits.
    from: String,
    /// Of the schema to come.
    to: String,
    /// What the program calls itself.
    program: Option<String>,
    /// May it be done as things are?
    decided: bool,
    /// Why not, in words.
    refusal: Option<String>,
    /// The plan in words.
    plan: Option<String>,
    /// About how long it takes.
    estimated_seconds: Option<f64>,
    /// What is to be decided.
    questions: Vec<ReportedQuestion>,
    /// The file in which to answer.
    answers: String,
}

/// A question, as JSON.
#[derive(Debug, Serialize)]
struct ReportedQuestion {
    place: String,
    rule: u8,
    what: String,
    choices: Vec<ReportedChoice>,
}

/// One of its answers.
#[derive(Debug, Serialize)]
struct ReportedChoice {
    means: String,
    code: Option<String>,
    answer: Option<String>,
}

impl ReportedQuestion {
    fn of(question: &Question) -> Self {
        let choices = question.choices.iter().map(|choice| ReportedChoice {
            means: choice.means.clone(),
            code: choice.code.clone(),
            answer: choice.answer.clone(),
        });
        let choices = choices.collect();
        Self { place: question.place.clone(), rule: question.rule, what: question.what.clone(), choices }
    }
}

/// What was done, as JSON.
#[derive(Debug, Serialize)]
struct Done {
    migrated: bool,
    from: String,
    to: String,
    /// Records that were converted.
    rewritten: u64,
    /// How long that took.
    seconds: f64,
    /// The last commit before.
    sequence_before: u64,
    /// The commit that did it.
    sequence: u64,
    /// Live records before.
    records_before: u64,
    /// And afterwards.
    records: u64,
    /// References that were checked afterwards.
    references: u64,
}
