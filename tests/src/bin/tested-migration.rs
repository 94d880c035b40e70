//! The program that the tests kill while it migrates: `tested-migration HEAP` opens a heap of flat nodes for what they
//! become, and prints `begun` and `done`.

use std::io::Write;

use heap::{Heap, OnProgress, Options, Progress, Types};
use tests::workload::NextNode;

fn say(word: &str) {
    // Whoever listens may have gone.
    let _ = writeln!(std::io::stdout(), "{word}").and_then(|()| std::io::stdout().flush());
}

fn main() -> heap::Result<()> {
    let path = std::env::args().nth(1).expect("the heap's path");
    let on_progress = OnProgress::new(|progress| {
        if matches!(progress, Progress::Begun { .. }) {
            say("begun");
        }
    });
    let types = Some(Types::of::<NextNode>()?);
    let heap = Heap::open_with(path, Options { types, on_progress: Some(on_progress), ..Options::default() })?;
    say("done");
    drop(heap);
    Ok(())
}
