//! Telling other programs that the heap is open here, and about what it holds. It only informs: failing to tell is no
//! failure.

use std::sync::PoisonError;
use std::time::SystemTime;

use crate::control::{ControlFile, Figures, Info};
use crate::format::catalog::TableKind;
use crate::shared::Shared;
use crate::storage::real::log_path;

/// Writes the control files, if the options want it.
pub(crate) fn begin(shared: &Shared) {
    if !shared.options.announce {
        return;
    }
    if let Some(info) = info(shared, None) {
        let control = ControlFile::create(&shared.path, &info);
        *shared.announcement.lock().unwrap_or_else(PoisonError::into_inner) = Some(control);
    }
}

/// Says anew what the heap holds; a checkpoint has just been made.
pub(crate) fn renew(shared: &Shared) {
    let announcement = shared.announcement.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(control) = &*announcement
        && let Some(info) = info(shared, Some(SystemTime::now()))
    {
        control.update(&info);
    }
}

/// Takes the control files away.
pub(crate) fn end(shared: &Shared) {
    shared.announcement.lock().unwrap_or_else(PoisonError::into_inner).take();
}

/// What the program calls itself.
pub(crate) fn program_name() -> String {
    let program = std::env::current_exe().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    program.unwrap_or_default()
}

fn info(shared: &Shared, committed: Option<SystemTime>) -> Option<Info> {
    let schema = shared.binder().registry().schema.current().fingerprint().to_string();
    let mut figures = Figures { schema, committed, ..Figures::default() };
    {
        let state = shared.state();
        figures.sequence = state.sequence;
        for table in &state.catalog.tables {
            if matches!(table.entry.kind, TableKind::Records(_)) {
                figures.types += 1;
                figures.records += table.entry.live;
            }
        }
    }
    Info::of_this_process(&shared.path, &log_path(&shared.path), &program_name(), figures).ok()
}
