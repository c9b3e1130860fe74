//! A progress line on standard error, on a terminal only.

use crate::text;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// From one look of the line to the next.
const REDRAW_EVERY: Duration = Duration::from_millis(100);

/// A run's progress over virtual time.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    duration_ms: u64,
    drawn: Instant,
}

impl Progress {
    /// A line for a run of `duration_ms`. `label` says which one it is, if there are several.
    pub(crate) fn new(duration_ms: u64, label: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(duration_ms), ProgressDrawTarget::stderr());
        let template = "{prefix}[{bar:30}] {percent:>3} %  {msg}  ETA {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(label.to_owned());
        Self { bar, duration_ms, drawn: Instant::now() }
    }

    /// So many more bytes of a firmware are done with, in this step of it.
    #[cfg(feature = "hw")]
    pub(crate) fn flashed(&mut self, doing: &'static str, bytes: u64) {
        if self.bar.prefix() != doing {
            self.bar.set_prefix(doing);
            self.bar.set_position(0);
        }
        self.bar.set_message(format!(" {doing}"));
        self.bar.inc(bytes);
    }

    /// Called very often: draws seldom.
    #[inline]
    pub(crate) fn at(&mut self, virtual_ms: u64) {
        let now = Instant::now();
        if now - self.drawn >= REDRAW_EVERY {
            self.drawn = now;
            self.draw(virtual_ms);
        }
    }

    #[cold]
    fn draw(&self, virtual_ms: u64) {
        // Whole seconds: milliseconds would flicker.
        let whole = |ms: u64| text::duration(ms - ms % 1_000);
        let (passed, wanted) = (whole(virtual_ms), text::duration(self.duration_ms));
        self.bar.set_message(format!("{passed} of {wanted}"));
        self.bar.set_position(virtual_ms);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The progress of an exploration, by cuts.
#[derive(Debug)]
pub(crate) struct CutProgress {
    bar: ProgressBar,
    drawn: Instant,
}

impl CutProgress {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
        let template = "[{bar:30}] {percent:>3} %  {pos} of {len} cuts  ETA {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar, drawn: Instant::now() }
    }

    /// So many of so many cuts are done.
    pub(crate) fn at(&mut self, done: u64, all: u64) {
        let now = Instant::now();
        if now - self.drawn >= REDRAW_EVERY {
            self.drawn = now;
            self.bar.set_length(all);
            self.bar.set_position(done);
        }
    }
}

impl Drop for CutProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A scan that takes less is over before anybody looks.
const SHOWN_AFTER: Duration = Duration::from_millis(300);

/// The progress of reading a store's pages.
#[derive(Debug)]
pub(crate) struct PageProgress {
    bar: ProgressBar,
    began: Instant,
}

impl PageProgress {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        if let Ok(style) =
            ProgressStyle::with_template("reading [{bar:30}] {percent:>3} %  ETA {eta}")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar, began: Instant::now() }
    }

    /// Called after each segment.
    pub(crate) fn at(&mut self, pages_done: u64, pages_all: u64) {
        if self.began.elapsed() >= SHOWN_AFTER {
            self.bar.set_length(pages_all);
            self.bar.set_position(pages_done);
        }
    }
}

impl Drop for PageProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The progress of killing.
#[derive(Debug)]
pub(crate) struct KillProgress {
    bar: ProgressBar,
}

impl KillProgress {
    pub(crate) fn new(kills: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(kills), ProgressDrawTarget::stderr());
        if let Ok(style) =
            ProgressStyle::with_template("[{bar:30}] {pos} of {len} kills  ETA {eta}")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar }
    }

    /// Called after each kill.
    pub(crate) fn at(&mut self, kills: u64) {
        self.bar.set_position(kills);
    }
}

impl Drop for KillProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
