//! A consumer at work: what it has seen, of whom, and when.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::desk::{Desk, Hall};
use crate::driver::{Consume, Record};
use crate::monotonic_ns;
use crate::sequences::Sequences;
use crate::stamp::{Salt, Stamp};

/// How often one that waits for records looks whether it may go home.
const LOOK: Duration = Duration::from_millis(50);
/// How long one that has everything reads on at most, while more comes.
const LINGER: Duration = Duration::from_secs(2);
/// After an error.
const PAUSE: Duration = Duration::from_millis(100);

/// What a consumer is to do.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    /// Each subscription gets everything.
    pub(crate) subscription: u32,
    /// What it reads, in ascending order.
    pub(crate) slots: Vec<u32>,
    /// The producers that write there: the first one's number, and how many.
    pub(crate) first_producer: u32,
    pub(crate) producers: u32,
    pub(crate) run: u32,
    pub(crate) stamped: bool,
}

/// What a consumer has seen.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) subscription: u32,
    pub(crate) seen: Vec<SeenBooks>,
    /// Records that are not as they were sent, key and value, or not where.
    pub(crate) corrupt: u64,
    /// Values without a stamp, where none have one.
    pub(crate) unstamped: u64,
}

/// What it has seen of one producer on one slot.
#[derive(Debug, Default)]
pub(crate) struct SeenBooks {
    pub(crate) slot: u32,
    pub(crate) producer: u32,
    pub(crate) seen: Sequences,
    pub(crate) duplicated: u64,
    pub(crate) reordered: u64,
}

/// Reads until all is read, and then until nothing more comes: what is owed and comes twice may come last.
pub(crate) async fn consume<C: Consume>(mut consumer: C, reader: Reader, desk: Rc<Desk>, hall: Arc<Hall>) -> Reading {
    let mut books = Books::new(&reader);
    let mut leaves = None;
    loop {
        let has_all = hall.all_read.load(Ordering::Relaxed);
        let (mut came, mut new, mut now_ns) = (false, 0, None);
        let polled = consumer.poll(LOOK, |record| {
            // What comes together was there at the same time.
            let now_ns = *now_ns.get_or_insert_with(monotonic_ns);
            came = true;
            let read = books.read(record);
            new += u64::from(read.is_new);
            let mut tally = desk.tally.borrow_mut();
            tally.reached(read.due_ns, now_ns);
            // What is read once everything is written is not beside the producers any more.
            if !hall.enough.load(Ordering::Relaxed) {
                tally.received(now_ns, record.value.len());
            }
        });
        let polled = polled.await;
        hall.received.fetch_add(new, Ordering::Relaxed);
        if let Err(error) = polled {
            hall.trouble(|| error.to_string());
            tokio::time::sleep(PAUSE).await;
        }
        if has_all && (!came || Instant::now() >= *leaves.get_or_insert_with(|| Instant::now() + LINGER)) {
            break;
        }
    }
    consumer.leave().await;
    books.close()
}

struct Books<'a> {
    reader: &'a Reader,
    /// In the order of the reader's slots.
    slots: Vec<SlotBooks>,
    /// The one that the last record came from.
    last: usize,
    corrupt: u64,
    unstamped: u64,
}

struct SlotBooks {
    salt: Salt,
    /// By producer.
    seen: Vec<SeenBooks>,
}

/// What a record turned out to be.
struct Read {
    due_ns: Option<u64>,
    is_new: bool,
}

impl<'a> Books<'a> {
    fn new(reader: &'a Reader) -> Books<'a> {
        let slot = |slot: &u32| SlotBooks { salt: Salt::new(reader.run, *slot), seen: Vec::new() };
        Books { reader, slots: reader.slots.iter().map(slot).collect(), last: 0, corrupt: 0, unstamped: 0 }
    }

    fn read(&mut self, record: Record<'_>) -> Read {
        if !self.reader.stamped {
            self.unstamped += 1;
            return Read { due_ns: None, is_new: true };
        }
        let Some((stamp, book)) = self.book_of(record) else {
            self.corrupt += 1;
            return Read { due_ns: None, is_new: false };
        };
        let is_behind = stamp.sequence < book.seen.end();
        let is_new = book.seen.insert(stamp.sequence);
        book.duplicated += u64::from(!is_new);
        book.reordered += u64::from(is_new && is_behind);
        Read { due_ns: Some(stamp.due_ns), is_new }
    }

    /// The stamp of a record that is whole and belongs here, and where it is entered.
    fn book_of(&mut self, Record { slot, key, value }: Record<'_>) -> Option<(Stamp, &mut SeenBooks)> {
        if self.reader.slots.get(self.last) != Some(&slot) {
            self.last = self.reader.slots.binary_search(&slot).ok()?;
        }
        let books = self.slots.get_mut(self.last)?;
        let stamp = Stamp::read(books.salt, key, value)?;
        let index = stamp.producer.checked_sub(self.reader.first_producer)?;
        if index >= self.reader.producers {
            return None;
        }
        let index = index as usize;
        while books.seen.len() <= index {
            let producer = self.reader.first_producer + books.seen.len() as u32;
            books.seen.push(SeenBooks { slot, producer, ..SeenBooks::default() });
        }
        Some((stamp, books.seen.get_mut(index)?))
    }

    fn close(self) -> Reading {
        Reading {
            subscription: self.reader.subscription,
            seen: self.slots.into_iter().flat_map(|books| books.seen).collect(),
            corrupt: self.corrupt,
            unstamped: self.unstamped,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::window::Window;
    use super::*;
    use crate::LoadError;

    /// What a consumer of slots 0 and 1, written by producer 0, makes of these values.
    pub(crate) fn reading(run: u32, values: &[(u32, Vec<u8>)]) -> Reading {
        let reader = Reader { subscription: 0, slots: vec![0, 1], first_producer: 0, producers: 1, run, stamped: true };
        let mut books = Books::new(&reader);
        for (slot, value) in values {
            books.read(Record { slot: *slot, key: None, value });
        }
        books.close()
    }

    /// The `sequence`-th record of producer 0 to a slot.
    pub(crate) fn value(run: u32, slot: u32, sequence: u64) -> (u32, Vec<u8>) {
        let mut value = Vec::new();
        Stamp { producer: 0, sequence, due_ns: 1 }.write(Salt::new(run, slot), None, b"text", &mut value);
        (slot, value)
    }

    /// Gives one record after the other, and says that all is read with the last that is owed.
    struct Script(Vec<(u32, Vec<u8>)>, usize, Arc<Hall>);

    impl Consume for Script {
        async fn poll(&mut self, _: Duration, mut each: impl FnMut(Record<'_>)) -> Result<(), LoadError> {
            let Script(values, owed, hall) = self;
            *owed = owed.saturating_sub(1);
            hall.all_read.store(*owed == 0, Ordering::Relaxed);
            if !values.is_empty() {
                let (slot, value) = values.remove(0);
                each(Record { slot, key: None, value: &value });
            }
            Ok(())
        }
    }

    #[test]
    fn what_comes_again_behind_the_last_that_is_owed_is_seen() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let values: Vec<_> = [0, 1, 1, 0].map(|sequence| value(7, 0, sequence)).into();
        let reading = runtime.block_on(async {
            let (hall, desk) = (Arc::new(Hall::default()), Desk::new(Window::new(0, LINGER, LINGER)).unwrap());
            let reader =
                Reader { subscription: 0, slots: vec![0], first_producer: 0, producers: 1, run: 7, stamped: true };
            consume(Script(values, 2, Arc::clone(&hall)), reader, Rc::new(desk), hall).await
        });
        assert_eq!((reading.seen[0].duplicated, reading.corrupt), (2, 0), "{reading:?}");
        assert_eq!(reading.seen[0].seen, Sequences::up_to(2));
    }

    #[test]
    fn what_comes_again_late_or_broken_is_counted_as_what_it_is() {
        let mut values: Vec<_> = [0, 2, 1, 2].map(|sequence| value(7, 0, sequence)).into();
        values.push((0, value(7, 0, 3).1[..20].to_vec()));
        // Of another slot, of another run, of nobody.
        values.push((0, value(7, 1, 0).1));
        values.push(value(8, 0, 4));
        values.push((9, value(7, 9, 0).1));
        let reading = reading(7, &values);
        let [ref books] = reading.seen[..] else { panic!("{:?}", reading.seen) };
        assert_eq!((books.duplicated, books.reordered, reading.corrupt), (1, 1, 4));
        assert_eq!(books.seen, Sequences::up_to(3));
    }

    #[test]
    fn a_record_that_comes_with_a_key_it_was_not_sent_with_is_corrupt() {
        let reader = Reader { subscription: 0, slots: vec![0], first_producer: 0, producers: 1, run: 7, stamped: true };
        let mut books = Books::new(&reader);
        let keys = [Some(&b"a"[..]), Some(b"b"), Some(b"c"), None];
        // As it was sent, two that have changed places, and one that nobody sent.
        let come = [keys[0], keys[2], keys[1], Some(b"d")];
        for ((sequence, sent), key) in (0..).zip(keys).zip(come) {
            let mut value = Vec::new();
            Stamp { producer: 0, sequence, due_ns: 1 }.write(Salt::new(7, 0), sent, b"text", &mut value);
            books.read(Record { slot: 0, key, value: &value });
        }
        let reading = books.close();
        assert_eq!((reading.corrupt, &reading.seen[0].seen), (3, &Sequences::up_to(1)));
    }
}
