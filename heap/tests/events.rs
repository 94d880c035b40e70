//! What is told to `tracing`: opening, recovering, checkpoints, refusals.
#![cfg(feature = "tracing")]

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use heap::{Heap, Record, Text};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

#[derive(Record)]
struct Note {
    text: Text,
}

/// Remembers the messages of the events of a heap.
#[derive(Clone, Default)]
struct Messages(Arc<Mutex<Vec<String>>>);

impl Visit for Messages {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}

impl Subscriber for Messages {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "heap"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[test]
fn opening_checkpoints_and_refusals_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.heap");
    let messages = Messages::default();
    tracing::subscriber::with_default(messages.clone(), || {
        let heap = Heap::open(&path).unwrap();
        let mut tx = heap.write().unwrap();
        let note = tx.root_or_insert("note", |tx| Ok(Note { text: tx.text("once")? })).unwrap();
        tx.commit().unwrap();
        heap.checkpoint().unwrap();
        let mut tx = heap.write().unwrap();
        let text = tx[note].text;
        tx.insert(Note { text }).unwrap();
        assert!(tx.commit().is_err());
        assert!(Heap::open(&path).is_err());
    });
    let messages = messages.0.lock().unwrap().clone();
    for expected in ["opened", "checkpoint", "refused"] {
        assert!(messages.iter().any(|message| message == expected), "{expected} is not among {messages:?}");
    }
}
