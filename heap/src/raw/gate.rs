//! Who may be in the arena: one writer, or any number of readers, in the order in which they came.

use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use super::{Space, Undo, View, Writing};

/// A fair lock that knows which threads hold it.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
    undo: Mutex<Undo>,
}

#[derive(Debug, Default)]
struct State {
    writer: Option<ThreadId>,
    readers: Vec<ThreadId>,
    /// The next ticket to give, and the one whose turn it is.
    next: u64,
    turn: u64,
    /// Tickets given up before their turn.
    abandoned: Vec<u64>,
}

/// Why a guard was not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The thread holds a guard that the new one would wait for.
    Deadlock {
        /// "read" or "write".
        held: &'static str,
    },
    /// The time was over.
    TimedOut,
}

/// A reader's access to a space.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    space: &'a Space,
    gate: &'a Gate,
    /// The gate knows the thread, so the guard must end in it.
    thread: std::marker::PhantomData<*const ()>,
}

// SAFETY: a shared reference gives only views; the thread matters for dropping the guard alone.
unsafe impl Sync for Reading<'_> {}

impl<'a> Reading<'a> {
    /// A view for as long as the guard is borrowed.
    #[inline(always)]
    pub(crate) const fn view(&self) -> View<'_> {
        View::new(self.space)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        let thread = thread::current().id();
        if let Some(position) = state.readers.iter().rposition(|&reader| reader == thread) {
            state.readers.swap_remove(position);
        }
        if state.readers.is_empty() {
            self.gate.wake(&state);
        }
    }
}

impl State {
    fn pass_on(&mut self) {
        self.turn += 1;
        while let Some(position) = self.abandoned.iter().position(|&ticket| ticket == self.turn) {
            self.abandoned.swap_remove(position);
            self.turn += 1;
        }
    }

    const fn is_waited_for(&self) -> bool {
        self.next != self.turn
    }
}

impl Gate {
    /// Whether this thread is the writer.
    pub(crate) fn is_writer(&self) -> bool {
        self.lock().writer == Some(thread::current().id())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // The state is changed in single steps that cannot panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, state: &State) {
        if state.is_waited_for() {
            self.changed.notify_all();
        }
    }

    /// Lets a reader in.
    ///
    /// Duty of the caller: `space` is the one this gate guards.
    pub(crate) fn read<'a>(&'a self, space: &'a Space, wait: Option<Duration>) -> Result<Reading<'a>, Refusal> {
        let thread = thread::current().id();
        let mut state = self.lock();
        if state.writer == Some(thread) {
            return Err(Refusal::Deadlock { held: "write" });
        }
        // A thread that reads already goes past waiting writers: they wait for it.
        if !state.readers.contains(&thread) && (state.writer.is_some() || state.is_waited_for()) {
            state = self.wait_turn(state, wait, |state| state.writer.is_none())?;
        }
        state.readers.push(thread);
        self.wake(&state);
        Ok(Reading { space, gate: self, thread: std::marker::PhantomData })
    }

    /// Lets the writer in.
    ///
    /// Duty of the caller: `space` is the one this gate guards.
    pub(crate) fn write<'a>(&'a self, space: &'a Space, wait: Option<Duration>) -> Result<Writing<'a>, Refusal> {
        let thread = thread::current().id();
        let mut state = self.lock();
        if state.writer == Some(thread) {
            return Err(Refusal::Deadlock { held: "write" });
        }
        if state.readers.contains(&thread) {
            return Err(Refusal::Deadlock { held: "read" });
        }
        if state.writer.is_some() || !state.readers.is_empty() || state.is_waited_for() {
            state = self.wait_turn(state, wait, |state| state.writer.is_none() && state.readers.is_empty())?;
        }
        state.writer = Some(thread);
        drop(state);
        let undo = self.undo.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Writing::new(space, self, undo))
    }

    fn wait_turn<'a>(
        &'a self,
        mut state: std::sync::MutexGuard<'a, State>,
        wait: Option<Duration>,
        free: impl Fn(&State) -> bool,
    ) -> Result<std::sync::MutexGuard<'a, State>, Refusal> {
        let ticket = state.next;
        state.next += 1;
        let until = wait.map(|wait| Instant::now() + wait);
        while state.turn != ticket || !free(&state) {
            state = match until {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        if state.turn == ticket {
                            state.pass_on();
                        } else {
                            state.abandoned.push(ticket);
                        }
                        self.wake(&state);
                        return Err(Refusal::TimedOut);
                    }
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        state.pass_on();
        Ok(state)
    }

    /// Lets the writer out.
    pub(super) fn leave_writer(&self) {
        let mut state = self.lock();
        state.writer = None;
        self.wake(&state);
    }

    /// Whether nobody is in.
    pub(crate) fn is_empty(&self) -> bool {
        let state = self.lock();
        state.writer.is_none() && state.readers.is_empty()
    }
}
