//! Who may be in the arena: one writer, or any number of readers, in the order in which they came.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Space, Undo, View, Writing};

/// Places to wait at.
const TURNS: usize = 32;

/// A fair lock that knows which threads hold it.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    /// Who waits with ticket `t` waits at `t % TURNS`: a change wakes those whose turn it may be, not everybody.
    changed: [Condvar; TURNS],
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
    /// Empty; kept for its memory, while no writer has it.
    undo: Undo,
}

/// A thread, among those that live: found by a load, where the standard library's counts a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ThreadId(libc::pthread_t);

impl ThreadId {
    #[inline(always)]
    fn here() -> Self {
        // SAFETY: the call has no conditions.
        Self(unsafe { libc::pthread_self() })
    }
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

impl Reading<'_> {
    /// A view for as long as the guard is borrowed.
    #[inline(always)]
    pub(crate) const fn view(&self) -> View<'_> {
        View::new(self.space)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        let thread = ThreadId::here();
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
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // The state is changed in single steps that cannot panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, state: &State) {
        if state.is_waited_for() {
            self.changed[state.turn as usize % TURNS].notify_all();
        }
    }

    /// Lets a reader in.
    ///
    /// Duty of the caller: `space` is the one this gate guards.
    pub(crate) fn read<'a>(&'a self, space: &'a Space, wait: Option<Duration>) -> Result<Reading<'a>, Refusal> {
        let thread = ThreadId::here();
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
        let thread = ThreadId::here();
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
        let undo = std::mem::take(&mut state.undo);
        drop(state);
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
                None => self.changed[ticket as usize % TURNS].wait(state).unwrap_or_else(PoisonError::into_inner),
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
                    self.changed[ticket as usize % TURNS]
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
        state.pass_on();
        Ok(state)
    }

    /// Lets the writer out.
    pub(super) fn leave_writer(&self, undo: Undo) {
        let mut state = self.lock();
        state.writer = None;
        state.undo = undo;
        self.wake(&state);
    }

    /// Whether this thread is the writer.
    pub(crate) fn is_writer_here(&self) -> bool {
        self.lock().writer == Some(ThreadId::here())
    }
}
