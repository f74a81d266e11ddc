//! Being asked to stop: no new cell starts, those in flight are finished, what is done is published, and the exit code says who asked.
//!
//! | signal | sent by | exit code |
//! |---|---|---|
//! | INT | Ctrl-C; a second one ends the process at once | 130 |
//! | TERM, USR1 | a scheduler that wants the node back, or whose time limit is near | 75: the same command goes on from there |

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Once};

/// Exit code after Ctrl-C, as shells have it.
pub const INTERRUPTED: u8 = 130;

/// Exit code after TERM or USR1: `EX_TEMPFAIL` of `sysexits.h`, "try again later".
pub const TRY_AGAIN: u8 = 75;

/// The signal that asked; 0 as long as none did.
static ASKED: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// Listens from now on; where the system has no such signals, nobody will ask.
pub fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = Arc::new(AtomicBool::new(false));
        let _ = flag::register_conditional_shutdown(SIGINT, INTERRUPTED.into(), Arc::clone(&before));
        let _ = flag::register(SIGINT, before);
        for signal in SIGNALS {
            let _ = flag::register_usize(*signal, Arc::clone(&ASKED), *signal as usize);
        }
    });
}

#[cfg(unix)]
const SIGNALS: &[i32] = &[SIGINT, SIGTERM, signal_hook::consts::SIGUSR1];
#[cfg(not(unix))]
const SIGNALS: &[i32] = &[SIGINT, SIGTERM];

/// Whether somebody has asked.
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed) != 0
}

/// What a process that was stopped exits with.
pub fn exit_code() -> u8 {
    match ASKED.load(Ordering::Relaxed) {
        0 => INTERRUPTED,
        signal if signal == SIGINT as usize => INTERRUPTED,
        _ => TRY_AGAIN,
    }
}
