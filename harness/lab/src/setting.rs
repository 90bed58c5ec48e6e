//! A setting: what contestants of one family have in common when they are compared.

use std::fmt;
use std::time::Duration;

/// Appends from this size on take memory in blocks large enough for a host to take back while they are free.
const LARGE_BYTES: usize = 16 << 10;
/// More than this is not touched before it is written: a run of so many bytes meets fresh memory whatever was done before.
const MOST_TOUCHED: u64 = 512 << 20;

/// What is asked of a strategy. Cells of one setting are ranked against each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Setting {
    /// Of writing.
    Write(WriteSetting),
    /// Of moving a range of a file to a socket.
    Transfer(TransferSetting),
    /// Of answering requests.
    Serve(ServeSetting),
}

/// What is asked of a way to write.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WriteSetting {
    /// Size of one append. Bytes.
    pub size_bytes: usize,
    /// When appends must be durable.
    pub sync: SyncPolicy,
    /// What the file is before its first append.
    pub prepare: Preparation,
    /// Threads, each of which appends to a file of its own.
    pub writers: usize,
    /// How many appends come at once and are handed over together; in an open loop, how many of those that wait at most.
    pub queued: usize,
    /// How fast appends come.
    pub load: Load,
    /// Written over all writers, however long it takes; `None`: for the plan's time, or until the plan's bytes are written.
    pub bytes: Option<u64>,
    /// Every call writes the same memory, which stays in the processor's nearest cache, instead of walking through 4 MiB of it.
    pub same_block: bool,
}

/// When appends must be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Never: in the page cache when the append returns, or on the device without a flush of its cache.
    None,
    /// Each before the next one begins.
    Every,
    /// Those that are queued together, by one sync.
    Group,
    /// Written at once, and synced every so often.
    Interval(Duration),
}

/// What the file is before its first append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preparation {
    /// Empty: every append makes it longer.
    Extend,
    /// Blocks are reserved, but were never written: each is converted when it is.
    Allocate,
    /// Zeros were written and synced: an append changes data only.
    Prewritten,
}

/// How fast appends come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Load {
    /// The next ones when the last ones are done. A latency is the time of one call.
    Saturated,
    /// So many a second over all writers, whatever the strategy does (open loop). A latency begins when the append was due.
    PerSecond(f64),
    /// Of what the fastest contestant does when saturated: what a plan says before the host is known.
    OfFastest {
        /// Of 100.
        percent: u8,
    },
}

/// What is asked of a way to move a range of a file to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferSetting {
    /// Size of one slice: what stands behind the header of one response. Bytes.
    pub size_bytes: usize,
    /// Where the file's pages are before.
    pub pages: Pages,
    /// What is done at the other end of the socket.
    pub receiver: Receiver,
}

/// Where a file's pages are before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pages {
    /// All of them in the page cache.
    Warm,
    /// None of them: each comes from the device, once.
    Cold,
}

/// What the thread at the other end of the socket does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    /// Receives into a buffer, as a consumer does.
    Reads,
    /// Has the kernel throw away what arrives (MSG_TRUNC), so that the sender's part of the cost is seen.
    Discards,
}

/// What is asked of a way to answer requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServeSetting {
    /// Size of one request; the answer is small, as that of Produce is. Bytes.
    pub size_bytes: usize,
    /// Connections over which requests come.
    pub connections: usize,
    /// Requests on each of them that wait for their answers (closed loop).
    pub pipelined: usize,
}

impl Setting {
    /// Size of one append, transfer or request. Bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        match self {
            Setting::Write(setting) => setting.size_bytes,
            Setting::Transfer(setting) => setting.size_bytes,
            Setting::Serve(setting) => setting.size_bytes,
        }
    }

    /// How fast they come.
    #[must_use]
    pub fn load(&self) -> Load {
        match self {
            Setting::Write(setting) => setting.load,
            Setting::Transfer(_) | Setting::Serve(_) => Load::Saturated,
        }
    }

    /// Whether a run takes so much memory so fast that it matters whether that has just been touched.
    pub(crate) fn fills_memory(&self) -> bool {
        let Setting::Write(setting) = self else { return false };
        let is_unsynced = matches!(setting.sync, SyncPolicy::None | SyncPolicy::Interval(_));
        let takes_long = setting.bytes.is_some_and(|bytes| bytes > MOST_TOUCHED);
        is_unsynced && setting.load == Load::Saturated && !takes_long && setting.size_bytes >= LARGE_BYTES
    }

    /// The same at another load, where the family has more than one.
    pub(crate) fn at(self, load: Load) -> Setting {
        match self {
            Setting::Write(setting) => Setting::Write(WriteSetting { load, ..setting }),
            Setting::Transfer(_) | Setting::Serve(_) => self,
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Setting::Write(setting) => setting.fmt(f),
            Setting::Transfer(setting) => setting.fmt(f),
            Setting::Serve(setting) => setting.fmt(f),
        }
    }
}

impl fmt::Display for WriteSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} · sync {} · {}", Size(self.size_bytes), self.sync, self.prepare)?;
        if self.writers > 1 {
            write!(f, " · {} writers", self.writers)?;
        }
        if self.queued > 1 {
            write!(f, " · {} queued", self.queued)?;
        }
        match self.load {
            Load::Saturated => {}
            Load::PerSecond(rate) => write!(f, " · {rate:.0}/s")?,
            Load::OfFastest { percent } => write!(f, " · {percent} % of the fastest")?,
        }
        if let Some(bytes) = self.bytes {
            write!(f, " · {} MiB in all", bytes >> 20)?;
        }
        if self.same_block {
            f.write_str(" · the same block")?;
        }
        Ok(())
    }
}

impl fmt::Display for TransferSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} · {} pages · receiver {}", Size(self.size_bytes), self.pages, self.receiver)
    }
}

impl fmt::Display for ServeSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connections = if self.connections == 1 { "connection" } else { "connections" };
        write!(f, "{} · {} {connections}", Size(self.size_bytes), self.connections)?;
        if self.pipelined > 1 {
            write!(f, " · {} in flight on each", self.pipelined)?;
        }
        Ok(())
    }
}

impl fmt::Display for SyncPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SyncPolicy::None => f.write_str("none"),
            SyncPolicy::Every => f.write_str("every"),
            SyncPolicy::Group => f.write_str("group"),
            SyncPolicy::Interval(interval) => write!(f, "{} ms", interval.as_millis()),
        }
    }
}

impl fmt::Display for Preparation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Preparation::Extend => "extend",
            Preparation::Allocate => "allocate",
            Preparation::Prewritten => "prewritten",
        })
    }
}

impl fmt::Display for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Pages::Warm => "warm",
            Pages::Cold => "cold",
        })
    }
}

impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Receiver::Reads => "reads",
            Receiver::Discards => "discards",
        })
    }
}

/// Bytes in the largest binary unit that divides them.
pub(crate) struct Size(pub(crate) usize);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => write!(f, "{} MiB", bytes >> 20),
            bytes if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => write!(f, "{} KiB", bytes >> 10),
            bytes => write!(f, "{bytes} B"),
        }
    }
}
