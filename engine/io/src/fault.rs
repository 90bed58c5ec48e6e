//! The faulty twin of the disk: real files in a directory, faults at chosen operations or by chance, and the power cut.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::disk::Allocation;
use crate::file::{File, Mode, at_path};
use crate::gather::Gather;
use crate::shadow::{Random, Shadow, Unsynced};
use crate::syscall;

/// What an operation does, as faults are chosen by it. A write that is resubmitted counts anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    /// One vectored write.
    Write,
    /// One read through the disk.
    Read,
    /// fdatasync of a file.
    Sync,
    /// fallocate.
    Allocate,
    /// Opening or making a file.
    Open,
    /// Making directories.
    CreateDir,
    /// Renaming.
    Rename,
    /// Removing a file or a tree.
    Remove,
    /// Changing a file's size.
    Truncate,
    /// fsync of a directory.
    SyncDir,
}

/// What goes wrong with one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// EIO; nothing is done. A sync that fails so loses what it should have written for good, as Linux does.
    Eio,
    /// ENOSPC; nothing is done.
    Enospc,
    /// A write or read of at most this many bytes (at least one); other operations are not affected.
    Short(usize),
    /// Done after this time.
    Delay(Duration),
    /// The power goes while the operation is under way: what it changes is among the unsynced, a sync has not happened. It and
    /// everything after it fails with EIO.
    PowerCut,
}

/// The faults of one directory and what they do to it; shared by the disks of all threads ([`crate::Disk::faulty`]).
///
/// Everything in the directory at the start counts as durable. The model is stricter than ext4: a sync makes durable the bytes of
/// that file alone, a directory's names need their own sync. Reads that do not go through the disk ([`File::read_at`], maps,
/// transfer) meet no faults.
#[derive(Debug)]
pub struct Faults {
    seed: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    operations: u64,
    planned: BTreeMap<u64, Fault>,
    next: Vec<(OperationKind, Fault)>,
    rates: Vec<(OperationKind, Fault, f64)>,
    random: Random,
    powered: bool,
    shadow: Shadow,
}

impl Faults {
    /// Faults drawn from `RINGLOG_SEED` in the environment, or from the clock. The seed is printed to stderr: a test that fails
    /// shows it.
    pub fn new(root: impl AsRef<Path>) -> io::Result<Arc<Faults>> {
        let given = std::env::var("RINGLOG_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos() as u64);
        eprintln!("faults: RINGLOG_SEED={seed} replays this");
        Faults::with_seed(root, seed)
    }

    /// Faults drawn from a seed that the caller prints.
    pub fn with_seed(root: impl AsRef<Path>, seed: u64) -> io::Result<Arc<Faults>> {
        let state = State {
            operations: 0,
            planned: BTreeMap::new(),
            next: Vec::new(),
            rates: Vec::new(),
            random: Random(seed),
            powered: true,
            shadow: Shadow::of(root.as_ref())?,
        };
        Ok(Arc::new(Faults { seed, state: Mutex::new(state) }))
    }

    /// The seed in use.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Operations so far; the next one has this number.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Injects a fault into the operation of this number (the first is 0).
    pub fn at(&self, operation: u64, fault: Fault) {
        self.state().planned.insert(operation, fault);
    }

    /// Injects a fault into the next operation of this kind; several wait in order.
    pub fn next(&self, kind: OperationKind, fault: Fault) {
        self.state().next.push((kind, fault));
    }

    /// From now on each operation of this kind meets the fault with this probability.
    pub fn rate(&self, kind: OperationKind, fault: Fault, probability: f64) {
        self.state().rates.push((kind, fault, probability));
    }

    /// Cuts the power (every later operation fails with EIO) and writes what the disk then holds into `into`, a directory that
    /// is made and must be empty. May be asked again with another choice of what survives.
    pub fn power_cut(&self, into: impl AsRef<Path>, unsynced: Unsynced) -> io::Result<()> {
        let into = into.as_ref();
        fs::create_dir_all(into)?;
        if fs::read_dir(into)?.next().is_some() {
            return Err(at_path(io::ErrorKind::DirectoryNotEmpty.into(), "write the disk's state to", into));
        }
        let mut state = self.state();
        state.powered = false;
        state.shadow.write_out(into, unsynced)
    }

    // The operations, as the disk asks for them.

    pub(crate) async fn write(&self, file: &File, gather: &Gather, position: u64) -> io::Result<usize> {
        let fault = self.begin(OperationKind::Write)?;
        pause(fault).await;
        let head = Gather::new(gather.head(limit(fault)));
        let inode = file.std().metadata()?.ino();
        let mut state = self.state();
        let written = syscall::write(file, &head, position)?;
        // Copies: a pooled buffer must go back to its pool when the write has ended.
        let parts = head.head(written).iter().map(|part| Bytes::copy_from_slice(part)).collect();
        state.shadow.written(inode, position, parts);
        state.after(fault).map(|()| written)
    }

    pub(crate) async fn read(&self, file: &File, buffer: &mut [u8], filled: usize, position: u64) -> io::Result<usize> {
        let fault = self.begin(OperationKind::Read)?;
        pause(fault).await;
        let end = buffer.len().min(filled.saturating_add(limit(fault)));
        let read = syscall::read(file, buffer.get_mut(..end).unwrap_or_default(), filled, position)?;
        self.state().after(fault).map(|()| read)
    }

    pub(crate) async fn sync_data(&self, file: &File) -> io::Result<()> {
        let inode = file.std().metadata()?.ino();
        let now = self.state().shadow.now();
        let fault = self.begin(OperationKind::Sync).inspect_err(|_| self.state().sync_failed(inode, now))?;
        pause(fault).await;
        let mut state = self.state();
        state.after(fault)?;
        state.shadow.synced(inode, now);
        Ok(())
    }

    pub(crate) async fn allocate(&self, file: &File, position: u64, length: u64, how: Allocation) -> io::Result<()> {
        let fault = self.begin(OperationKind::Allocate)?;
        pause(fault).await;
        let metadata = file.std().metadata()?;
        let mut state = self.state();
        syscall::allocate(file, position, length, how)?;
        if how != Allocation::KeepSize && position + length > metadata.len() {
            state.shadow.resized(metadata.ino(), position + length);
        }
        state.after(fault)
    }

    pub(crate) fn open_file(&self, path: &Path, mode: Mode) -> io::Result<File> {
        self.immediate(OperationKind::Open, |shadow| {
            let existed = path.exists();
            let file = File::open(path, mode)?;
            if !existed {
                shadow.linked(path)?;
            }
            Ok(file)
        })
    }

    pub(crate) fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.immediate(OperationKind::CreateDir, |shadow| {
            let mut missing: Vec<&Path> = path.ancestors().take_while(|above| !above.exists()).collect();
            missing.retain(|above| !above.as_os_str().is_empty());
            for directory in missing.into_iter().rev() {
                fs::create_dir(directory)?;
                shadow.linked(directory)?;
            }
            syscall::create_dir_all(path)
        })
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.immediate(OperationKind::Rename, |shadow| {
            syscall::rename(from, to)?;
            shadow.renamed(from, to)
        })
    }

    pub(crate) fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.immediate(OperationKind::Remove, |shadow| {
            syscall::remove_file(path)?;
            shadow.unlinked(path)
        })
    }

    pub(crate) fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.immediate(OperationKind::Remove, |shadow| remove_tree(path, shadow))
    }

    pub(crate) fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        self.immediate(OperationKind::Truncate, |shadow| {
            syscall::truncate(file, length)?;
            shadow.resized(file.std().metadata()?.ino(), length);
            Ok(())
        })
    }

    pub(crate) fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let fault = self.begin(OperationKind::SyncDir)?;
        pause_here(fault);
        let mut state = self.state();
        state.after(fault)?;
        state.shadow.directory_synced(path)
    }

    pub(crate) fn write_and_sync(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let file = self.open_file(path, Mode::Create)?;
        self.truncate(&file, 0)?;
        let inode = file.std().metadata()?.ino();
        self.immediate(OperationKind::Write, |shadow| {
            let mut gather = Gather::new(vec![Bytes::copy_from_slice(content)]);
            shadow.written(inode, 0, gather.head(usize::MAX));
            while !gather.is_done() {
                let position = (content.len() - gather.bytes()) as u64;
                gather.advance(syscall::write(&file, &gather, position)?);
            }
            Ok(())
        })?;
        let now = self.state().shadow.now();
        let fault = self.begin(OperationKind::Sync).inspect_err(|_| self.state().sync_failed(inode, now))?;
        pause_here(fault);
        let mut state = self.state();
        state.after(fault)?;
        state.shadow.synced(inode, now);
        Ok(())
    }

    fn immediate<T>(&self, kind: OperationKind, change: impl FnOnce(&mut Shadow) -> io::Result<T>) -> io::Result<T> {
        let fault = self.begin(kind)?;
        pause_here(fault);
        let mut state = self.state();
        let result = change(&mut state.shadow)?;
        state.after(fault).map(|()| result)
    }

    /// Counts the operation and draws its fault; those that prevent it are errors already.
    fn begin(&self, kind: OperationKind) -> io::Result<Option<Fault>> {
        let mut state = self.state();
        if !state.powered {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        let number = state.operations;
        state.operations += 1;
        match state.draw(number, kind) {
            Some(Fault::Eio) => Err(io::Error::from_raw_os_error(libc::EIO)),
            Some(Fault::Enospc) => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
            other => Ok(other),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn draw(&mut self, number: u64, kind: OperationKind) -> Option<Fault> {
        if let Some(fault) = self.planned.remove(&number) {
            return Some(fault);
        }
        if let Some(place) = self.next.iter().position(|(wanted, _)| *wanted == kind) {
            return Some(self.next.remove(place).1);
        }
        let State { rates, random, .. } = self;
        let mut of_kind = rates.iter().filter(|(wanted, ..)| *wanted == kind);
        of_kind.find(|(.., probability)| random.with_probability(*probability)).map(|(_, fault, _)| *fault)
    }

    /// The operation has happened; with a power cut nobody hears of it.
    fn after(&mut self, fault: Option<Fault>) -> io::Result<()> {
        self.powered &= fault != Some(Fault::PowerCut);
        if self.powered { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EIO)) }
    }

    fn sync_failed(&mut self, inode: u64, until: u64) {
        // Without power nothing is dropped any more: the power cut decides what survives.
        if self.powered {
            self.shadow.sync_failed(inode, until);
        }
    }
}

fn limit(fault: Option<Fault>) -> usize {
    if let Some(Fault::Short(bytes)) = fault { bytes.max(1) } else { usize::MAX }
}

async fn pause(fault: Option<Fault>) {
    if let Some(Fault::Delay(time)) = fault {
        tokio::time::sleep(time).await;
    }
}

/// As a slow device would block the thread.
fn pause_here(fault: Option<Fault>) {
    if let Some(Fault::Delay(time)) = fault {
        std::thread::sleep(time);
    }
}

fn remove_tree(path: &Path, shadow: &mut Shadow) -> io::Result<()> {
    for entry in fs::read_dir(path).map_err(|error| at_path(error, "remove directory", path))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path(), shadow)?;
        } else {
            fs::remove_file(entry.path())?;
            shadow.unlinked(&entry.path())?;
        }
    }
    fs::remove_dir(path)?;
    shadow.unlinked(path)
}
