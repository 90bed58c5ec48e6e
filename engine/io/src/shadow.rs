//! What a disk would hold after a power cut: for each file its durable bytes and the changes since, for each directory likewise.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bytes::Bytes;

/// What a device writes as a whole.
const SECTOR_BYTES: usize = 512;

/// What a power cut leaves of the changes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// All are lost.
    Lost,
    /// All have got to the device all the same.
    Kept,
    /// A subset drawn from this seed. Every sector of every write on its own, file sizes with or without the bytes that they
    /// cover (these read as zeros), and of the changes to names the first ones in their order, as a journal would keep them.
    Some(u64),
}

/// A file or directory, however it is called at the moment. Unlike an inode's number it is never used again.
type Node = u64;
const ROOT: Node = 0;

/// The durable state of a tree, and what is not durable yet.
#[derive(Debug, Default)]
pub(crate) struct Shadow {
    /// Live inode numbers.
    nodes: HashMap<u64, Node>,
    last: u64,
    names: Names,
    unsynced_names: Vec<NameChange>,
    files: HashMap<Node, Contents>,
}

#[derive(Debug, Default)]
struct Contents {
    durable: Image,
    /// In order, each with its number.
    unsynced: Vec<(u64, Change)>,
}

#[derive(Debug)]
enum Change {
    Write { position: u64, parts: Vec<Bytes> },
    Length(u64),
}

/// By directory.
type Names = BTreeMap<Node, BTreeMap<OsString, Entry>>;

#[derive(Debug, Clone, Copy)]
enum Entry {
    Directory(Node),
    File(Node),
}

#[derive(Debug, Clone)]
enum NameChange {
    Link { directory: Node, name: OsString, entry: Entry },
    Unlink { directory: Node, name: OsString },
    Rename { from: (Node, OsString), to: (Node, OsString) },
}

impl Shadow {
    /// Takes everything that is in the directory for durable.
    pub(crate) fn of(root: &Path) -> io::Result<Shadow> {
        let mut shadow = Shadow::default();
        shadow.nodes.insert(fs::metadata(root)?.ino(), ROOT);
        shadow.import(root, ROOT)?;
        Ok(shadow)
    }

    fn import(&mut self, path: &Path, directory: Node) -> io::Result<()> {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            let node = self.adopt(metadata.ino());
            let named = if metadata.is_dir() {
                self.import(&entry.path(), node)?;
                Entry::Directory(node)
            } else {
                let mut durable = Image::default();
                durable.write(0, &fs::read(entry.path())?);
                self.files.insert(node, Contents { durable, unsynced: Vec::new() });
                Entry::File(node)
            };
            self.names.entry(directory).or_default().insert(entry.file_name(), named);
        }
        Ok(())
    }

    /// A number for each point in time: what has been changed before it has a lower one.
    pub(crate) fn now(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    // Changes, after they have been made to the live tree.

    pub(crate) fn linked(&mut self, path: &Path) -> io::Result<()> {
        let metadata = fs::metadata(path)?;
        let (directory, name) = self.place(path)?;
        let node = self.adopt(metadata.ino());
        let entry = if metadata.is_dir() { Entry::Directory(node) } else { Entry::File(node) };
        self.unsynced_names.push(NameChange::Link { directory, name, entry });
        Ok(())
    }

    pub(crate) fn unlinked(&mut self, path: &Path) -> io::Result<()> {
        let (directory, name) = self.place(path)?;
        self.unsynced_names.push(NameChange::Unlink { directory, name });
        Ok(())
    }

    pub(crate) fn renamed(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let change = NameChange::Rename { from: self.place(from)?, to: self.place(to)? };
        self.unsynced_names.push(change);
        Ok(())
    }

    pub(crate) fn written(&mut self, inode: u64, position: u64, parts: Vec<Bytes>) {
        self.changed(inode, Change::Write { position, parts });
    }

    pub(crate) fn resized(&mut self, inode: u64, length: u64) {
        self.changed(inode, Change::Length(length));
    }

    fn changed(&mut self, inode: u64, change: Change) {
        let (now, node) = (self.now(), self.node(inode));
        self.files.entry(node).or_default().unsynced.push((now, change));
    }

    // Syncs.

    /// The changes of a file from before `until` become durable.
    pub(crate) fn synced(&mut self, inode: u64, until: u64) {
        let node = self.node(inode);
        let contents = self.files.entry(node).or_default();
        for change in contents.take_until(until) {
            contents.durable.apply(&change);
        }
    }

    /// A sync has failed: the kernel drops the dirty pages, no later sync writes them.
    pub(crate) fn sync_failed(&mut self, inode: u64, until: u64) {
        let node = self.node(inode);
        self.files.entry(node).or_default().take_until(until);
    }

    /// The names in one directory become durable.
    pub(crate) fn directory_synced(&mut self, path: &Path) -> io::Result<()> {
        let directory = self.node(fs::metadata(path)?.ino());
        for change in std::mem::take(&mut self.unsynced_names) {
            if change.touches(directory) {
                change.apply(&mut self.names);
            } else {
                self.unsynced_names.push(change);
            }
        }
        Ok(())
    }

    /// Writes what is left after a power cut into an existing, empty directory.
    pub(crate) fn write_out(&self, into: &Path, unsynced: Unsynced) -> io::Result<()> {
        let mut chance = Chance::of(unsynced);
        let mut names = self.names.clone();
        let kept = chance.prefix(self.unsynced_names.len());
        for change in self.unsynced_names.iter().take(kept) {
            change.apply(&mut names);
        }
        self.write_directory(&names, ROOT, into, &mut chance)
    }

    fn write_directory(&self, names: &Names, directory: Node, path: &Path, chance: &mut Chance) -> io::Result<()> {
        for (name, entry) in names.get(&directory).into_iter().flatten() {
            let path = path.join(name);
            match entry {
                Entry::Directory(node) => {
                    fs::create_dir(&path)?;
                    self.write_directory(names, *node, &path, chance)?;
                }
                Entry::File(node) => {
                    let mut image = Image::default();
                    if let Some(contents) = self.files.get(node) {
                        image = contents.durable.clone();
                        contents.unsynced.iter().for_each(|(_, change)| image.apply_by_chance(change, chance));
                    }
                    image.write_out(&path)?;
                }
            }
        }
        Ok(())
    }

    /// The directory and the name in it.
    fn place(&mut self, path: &Path) -> io::Result<(Node, OsString)> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        Ok((self.node(fs::metadata(parent)?.ino()), name.to_owned()))
    }

    fn node(&mut self, inode: u64) -> Node {
        if let Some(node) = self.nodes.get(&inode) { *node } else { self.adopt(inode) }
    }

    /// A node for an inode that has just been made: its number may have belonged to another one before.
    fn adopt(&mut self, inode: u64) -> Node {
        let node = self.now();
        self.nodes.insert(inode, node);
        node
    }
}

impl Contents {
    fn take_until(&mut self, until: u64) -> Vec<Change> {
        let later = self.unsynced.iter().take_while(|(number, _)| *number < until).count();
        self.unsynced.drain(..later).map(|(_, change)| change).collect()
    }
}

impl NameChange {
    fn touches(&self, node: Node) -> bool {
        match self {
            NameChange::Link { directory, .. } | NameChange::Unlink { directory, .. } => *directory == node,
            NameChange::Rename { from, to } => from.0 == node || to.0 == node,
        }
    }

    fn apply(&self, names: &mut Names) {
        match self {
            NameChange::Link { directory, name, entry } => {
                names.entry(*directory).or_default().insert(name.clone(), *entry);
            }
            NameChange::Unlink { directory, name } => {
                names.entry(*directory).or_default().remove(name);
            }
            NameChange::Rename { from, to } => {
                if let Some(entry) = names.entry(from.0).or_default().remove(&from.1) {
                    names.entry(to.0).or_default().insert(to.1.clone(), entry);
                }
            }
        }
    }
}

/// A file's bytes, sparse: a sector of zeros is not kept.
#[derive(Debug, Default, Clone)]
struct Image {
    length: u64,
    sectors: BTreeMap<u64, [u8; SECTOR_BYTES]>,
}

impl Image {
    fn apply(&mut self, change: &Change) {
        self.apply_by_chance(change, &mut Chance::Always);
    }

    fn apply_by_chance(&mut self, change: &Change, chance: &mut Chance) {
        match change {
            Change::Length(length) => {
                if chance.flip() {
                    self.set_length(*length);
                }
            }
            Change::Write { position, parts } => {
                let mut position = *position;
                for part in parts {
                    let mut rest = &part[..];
                    while !rest.is_empty() {
                        let room = SECTOR_BYTES - position as usize % SECTOR_BYTES;
                        let (step, later) = rest.split_at(room.min(rest.len()));
                        if chance.flip() {
                            self.write(position, step);
                        }
                        position += step.len() as u64;
                        rest = later;
                    }
                }
                if chance.flip() {
                    self.length = self.length.max(position);
                }
            }
        }
    }

    fn write(&mut self, mut position: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (number, offset) = (position / SECTOR_BYTES as u64, position as usize % SECTOR_BYTES);
            let (step, later) = bytes.split_at(bytes.len().min(SECTOR_BYTES - offset));
            let sector = self.sectors.entry(number).or_insert([0; SECTOR_BYTES]);
            sector[offset..offset + step.len()].copy_from_slice(step);
            if *sector == [0; SECTOR_BYTES] {
                self.sectors.remove(&number);
            }
            position += step.len() as u64;
            bytes = later;
        }
        self.length = self.length.max(position);
    }

    fn set_length(&mut self, length: u64) {
        if length < self.length {
            self.sectors.split_off(&length.div_ceil(SECTOR_BYTES as u64));
            if let Some(last) = self.sectors.get_mut(&(length / SECTOR_BYTES as u64)) {
                last[length as usize % SECTOR_BYTES..].fill(0);
            }
        }
        self.length = length;
    }

    fn write_out(&self, path: &Path) -> io::Result<()> {
        let mut file = fs::File::create_new(path)?;
        for (number, sector) in &self.sectors {
            file.seek(SeekFrom::Start(number * SECTOR_BYTES as u64))?;
            file.write_all(sector)?;
        }
        file.set_len(self.length)
    }
}

/// Which of the unsynced changes survive.
enum Chance {
    Always,
    Never,
    Random(Random),
}

impl Chance {
    fn of(unsynced: Unsynced) -> Chance {
        match unsynced {
            Unsynced::Lost => Chance::Never,
            Unsynced::Kept => Chance::Always,
            Unsynced::Some(seed) => Chance::Random(Random(seed)),
        }
    }

    fn flip(&mut self) -> bool {
        match self {
            Chance::Always => true,
            Chance::Never => false,
            Chance::Random(random) => random.next() & 1 == 0,
        }
    }

    /// How many of `count` ordered things survive.
    fn prefix(&mut self, count: usize) -> usize {
        match self {
            Chance::Always => count,
            Chance::Never => 0,
            Chance::Random(random) => (random.next() % (count as u64 + 1)) as usize,
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers from the same seed, everywhere.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// True with this probability.
    pub(crate) fn with_probability(&mut self, probability: f64) -> bool {
        ((self.next() >> 11) as f64) < probability * (1u64 << 53) as f64
    }
}
