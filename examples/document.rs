//! A text document with undo and redo that outlast the program.
//!
//! It shows ownership that moves: a line belongs to the document, or to the edit that took it out. An edit knows where
//! it was made, and holds the line whenever the document does not; so undoing and redoing it are the same step. Each
//! run is one transaction: a wish that cannot be granted takes the ones before it back.
//!
//! ```text
//! $ cargo run -p heap --example document -- notes.heap add "buy milk" add "feed the cat" add "sleep"
//! 1 buy milk
//! 2 feed the cat
//! 3 sleep
//! $ cargo run -p heap --example document -- notes.heap remove 2
//! 1 buy milk
//! 2 sleep
//! $ cargo run -p heap --example document -- notes.heap undo undo
//! 1 buy milk
//! 2 feed the cat
//! $ cargo run -p heap --example document -- notes.heap redo redo
//! 1 buy milk
//! 2 sleep
//! $ cargo run -p heap --example document -- notes.heap undo remove 1 redo
//! there is nothing to redo; nothing was changed
//! [exit 1]
//! $ cargo run -p heap --example document -- notes.heap
//! 1 buy milk
//! 2 sleep
//! ```

use std::process::ExitCode;

use heap::{Heap, List, Reader, Record, Ref, Text, Transaction};

/// The root.
#[derive(Record)]
struct Document {
    lines: List<Text>,
    /// The edit that would be undone; the others follow from it.
    done: Option<Ref<Edit>>,
    /// The edit that would be redone.
    undone: Option<Ref<Edit>>,
}

/// One edit, in one of the two stacks.
#[derive(Record)]
struct Edit {
    /// Position of the line.
    at: u32,
    /// The line, while it is not in the document.
    held: Option<Text>,
    /// The edit below it in its stack.
    below: Option<Ref<Edit>>,
}

type Failure = Box<dyn std::error::Error>;

/// Does or undoes an edit: the line moves from its owner to the other.
fn flip(tx: &mut Transaction<'_>, document: Ref<Document>, edit: Ref<Edit>) -> heap::Result<()> {
    let (lines, at) = (tx[document].lines, tx[edit].at as usize);
    match tx[edit].held.take() {
        Some(line) => lines.insert(tx, at, line),
        None => {
            let line = lines.get(tx)?[at];
            tx[edit].held = Some(line);
            lines.remove(tx, at)
        }
    }
}

/// Makes an edit, which is the next to be undone. What was undone before it cannot be redone any more.
fn make(tx: &mut Transaction<'_>, document: Ref<Document>, at: usize, held: Option<Text>) -> heap::Result<()> {
    while let Some(edit) = tx[document].undone {
        tx[document].undone = tx[edit].below;
        tx.remove(edit)?; // with the line, where it held one
    }
    let below = tx[document].done;
    let edit = tx.insert(Edit { at: at as u32, held, below })?;
    tx[document].done = Some(edit);
    flip(tx, document, edit)
}

/// Undoes the last edit; whether there was one.
fn undo(tx: &mut Transaction<'_>, document: Ref<Document>) -> heap::Result<bool> {
    let Some(edit) = tx[document].done else { return Ok(false) };
    tx[document].done = tx[edit].below;
    tx[edit].below = tx[document].undone.replace(edit);
    flip(tx, document, edit)?;
    Ok(true)
}

/// Redoes the edit that was undone last; whether there was one.
fn redo(tx: &mut Transaction<'_>, document: Ref<Document>) -> heap::Result<bool> {
    let Some(edit) = tx[document].undone else { return Ok(false) };
    tx[document].undone = tx[edit].below;
    tx[edit].below = tx[document].done.replace(edit);
    flip(tx, document, edit)?;
    Ok(true)
}

/// Grants the wishes of the command line.
fn edit(
    tx: &mut Transaction<'_>,
    document: Ref<Document>,
    mut words: impl Iterator<Item = String>,
) -> Result<(), Failure> {
    while let Some(wish) = words.next() {
        let count = tx[document].lines.len(tx)?;
        match &*wish {
            "add" => {
                let line = tx.text(&words.next().ok_or("add needs a line")?)?;
                make(tx, document, count, Some(line))?;
            }
            "remove" => {
                let number: usize = words.next().ok_or("remove needs a number")?.parse()?;
                let at = number.checked_sub(1).filter(|&at| at < count).ok_or("there is no such line")?;
                make(tx, document, at, None)?;
            }
            "undo" => undo(tx, document)?.then_some(()).ok_or("there is nothing to undo")?,
            "redo" => redo(tx, document)?.then_some(()).ok_or("there is nothing to redo")?,
            _ => return Err(format!("{wish} is none of add, remove, undo, redo").into()),
        }
    }
    Ok(())
}

fn run() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let heap = Heap::open(arguments.next().ok_or("usage: document HEAP [add LINE | remove NUMBER | undo | redo]...")?)?;
    let mut tx = heap.write()?;
    let new = |tx: &mut Transaction<'_>| Ok(Document { lines: tx.list()?, done: None, undone: None });
    let document = tx.root_or_insert("document", new)?;
    edit(&mut tx, document, arguments)?;
    tx.commit()?;
    let read = heap.read();
    for (number, &line) in (1..).zip(&read[read[document].lines]) {
        println!("{number} {}", read.get_text(line)?);
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}; nothing was changed");
            ExitCode::FAILURE
        }
    }
}
