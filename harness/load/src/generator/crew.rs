//! The load threads of a cell: who does what on which, and how they begin together.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;

use tokio::sync::watch;
use tokio::task::{JoinHandle, LocalSet, spawn_local};

use super::Conditions;
use super::consuming::{Reader, Reading, consume};
use super::desk::{Desk, Hall};
use super::producing::{LaneBooks, Task, produce};
use super::tally::Tally;
use super::window::Window;
use crate::LoadError;
use crate::driver::{Consume, Declaration, Driver, Layout, Produce};
use crate::workload::{CellSpec, Consumption};

/// The threads of one cell.
pub(crate) struct Crew<'a, D> {
    pub(crate) driver: &'a D,
    pub(crate) declaration: &'a Declaration,
    pub(crate) layout: &'a Layout,
    pub(crate) cell: &'a Arc<CellSpec>,
    pub(crate) conditions: &'a Conditions,
}

/// What one thread carries.
#[derive(Debug, Clone, Default)]
pub(crate) struct Share {
    producers: Vec<Task>,
    consumers: Vec<Reader>,
}

/// What one thread has done.
pub(crate) struct Work {
    pub(crate) tally: Tally,
    pub(crate) lanes: Vec<LaneBooks>,
    pub(crate) readings: Vec<Reading>,
}

impl<D: Driver> Crew<'_, D> {
    /// How many threads there are: not more than there is work for.
    pub(crate) fn threads(&self) -> usize {
        let hands = (self.cell.producers() + self.cell.consumers()) as usize;
        self.conditions.threads.min(hands).max(1)
    }

    /// Producers and consumers, in turns over the threads: with two of each, a consumer is not on its producer's thread alone.
    /// The producers go on from what they did before.
    pub(crate) fn shares(&self, before: &[LaneBooks]) -> Vec<Share> {
        let cell = self.cell;
        let mut shares = vec![Share::default(); self.threads()];
        let (mut turn, threads, sends_keys) = (0, shares.len(), self.declaration.keys);
        let mut next = || {
            turn += 1;
            (turn - 1) % threads
        };
        for number in 0..cell.producers() {
            let topic = (number / cell.producers_per_topic) as usize;
            shares[next()].producers.push(Task {
                number,
                producers: cell.producers(),
                first_slot: self.layout.first_slot(topic),
                run: self.conditions.run,
                seed: self.conditions.seed,
                patience: self.conditions.patience,
                sends_keys,
                before: before.iter().filter(|books| books.producer == number).cloned().collect(),
            });
        }
        for topic in 0..self.layout.topics.len() {
            for subscription in 0..cell.subscriptions_per_topic {
                for reader in self.readers(topic, subscription, cell.consumers_per_subscription) {
                    shares[next()].consumers.push(reader);
                }
            }
        }
        shares
    }

    /// One reader of each thread for each topic, of a subscription of its own.
    pub(crate) fn reading_shares(&self) -> Vec<Share> {
        let mut shares = vec![Share::default(); self.conditions.threads.max(1)];
        for topic in 0..self.layout.topics.len() {
            let threads = shares.len() as u32;
            let readers = self.readers(topic, self.cell.subscriptions_per_topic, threads);
            shares.iter_mut().zip(readers).for_each(|(share, reader)| {
                share.consumers.push(Reader { subscription: 0, ..reader });
            });
        }
        shares
    }

    /// The consumers of one subscription, with the slots that each reads.
    fn readers(&self, topic: usize, subscription: u32, count: u32) -> impl Iterator<Item = Reader> {
        let (first, partitions) = (self.layout.first_slot(topic), self.layout.partitions);
        let per_topic = self.cell.producers_per_topic;
        // Who reads what, a group decides.
        let is_group = self.driver.consumption() == Consumption::Group;
        let share = move |number| if is_group { (0, 1) } else { (number, count as usize) };
        let slots = move |number| {
            let (begin, step) = share(number);
            (begin..partitions).step_by(step).map(|partition| first + partition).collect()
        };
        (0..count.min(partitions)).map(move |number| Reader {
            subscription,
            slots: slots(number),
            first_producer: topic as u32 * per_topic,
            producers: per_topic,
            run: self.conditions.run,
            stamped: self.cell.verify,
        })
    }

    /// Starts a thread for each share; when all are connected they begin at the window that `begin` gives, while this thread does
    /// `meanwhile`.
    ///
    /// # Errors
    /// That of the first that can't connect. The others go home without having begun.
    pub(crate) fn employ(
        &self,
        shares: Vec<Share>,
        hall: &Arc<Hall>,
        begin: impl FnOnce() -> Window,
        meanwhile: impl FnOnce(Window),
    ) -> Result<(Window, Vec<Work>), LoadError> {
        let (start, started) = watch::channel(None);
        let (connected, all_connected) = mpsc::channel();
        let count = shares.len();
        std::thread::scope(|scope| {
            let threads: Vec<_> = shares
                .into_iter()
                .map(|share| {
                    let (started, connected) = (started.clone(), connected.clone());
                    scope.spawn(move || self.run(&share, hall, started, &connected))
                })
                .collect();
            drop(connected);
            let begun = (0..count).try_for_each(|_| all_connected.recv().unwrap_or(Err(LoadError::Panicked)));
            if let Err(error) = begun {
                drop(start);
                return Err(error);
            }
            let window = begin();
            // The threads hold receivers.
            let _ = start.send(Some(window));
            meanwhile(window);
            let works = threads.into_iter().map(|thread| thread.join().unwrap_or(Err(LoadError::Panicked)));
            Ok((window, works.collect::<Result<Vec<_>, _>>()?))
        })
    }

    fn run(
        &self,
        share: &Share,
        hall: &Arc<Hall>,
        started: watch::Receiver<Option<Window>>,
        connected: &mpsc::Sender<Result<(), LoadError>>,
    ) -> Result<Work, LoadError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(LoadError::Runtime)?;
        let work = LocalSet::new().block_on(&runtime, self.work(share, hall, started, connected));
        // Connections of the client are tasks of this runtime: they end with it.
        runtime.shutdown_background();
        work
    }

    async fn work(
        &self,
        share: &Share,
        hall: &Arc<Hall>,
        mut started: watch::Receiver<Option<Window>>,
        connected: &mpsc::Sender<Result<(), LoadError>>,
    ) -> Result<Work, LoadError> {
        let done = DoneProducing(hall);
        let hands = tokio::select! {
            hands = self.connect(share) => hands,
            // Another thread could not connect: what is waited for may never come.
            () = has_ended(started.clone()) => return Err(LoadError::NotBegun),
        };
        let (producers, consumers) = match hands {
            Ok(hands) => {
                let _ = connected.send(Ok(()));
                hands
            }
            Err(error) => {
                let _ = connected.send(Err(error));
                return Err(LoadError::NotBegun);
            }
        };
        let Ok(window) = started.wait_for(Option::is_some).await.map(|window| *window) else {
            return Err(LoadError::NotBegun);
        };
        let desk = Rc::new(Desk::new(window.ok_or(LoadError::NotBegun)?).map_err(LoadError::Timer)?);
        let timer = spawn_local({
            let (desk, hall) = (Rc::clone(&desk), Arc::clone(hall));
            async move {
                if let Err(error) = desk.timer.run().await {
                    hall.trouble(|| LoadError::Timer(error).to_string());
                }
            }
        });
        let meter = spawn_local(meter(Rc::clone(&desk)));
        let consuming = consumers.into_iter().zip(&share.consumers).map(|(consumer, reader)| {
            spawn_local(consume(consumer, reader.clone(), Rc::clone(&desk), Arc::clone(hall)))
        });
        let consuming: Vec<_> = consuming.collect();
        let producing = producers.into_iter().zip(&share.producers).map(|(producer, task)| {
            let (cell, pool) = (Arc::clone(self.cell), Arc::clone(&self.conditions.pool));
            spawn_local(produce(producer, task.clone(), cell, pool, Rc::clone(&desk), Arc::clone(hall)))
        });
        let producing: Vec<_> = producing.collect();
        let mut lanes = Vec::new();
        for producing in producing {
            lanes.extend(producing.await.map_err(|_| LoadError::Panicked)?);
        }
        drop(done);
        let mut readings = Vec::new();
        for consuming in consuming {
            readings.push(consuming.await.map_err(|_| LoadError::Panicked)?);
        }
        meter.abort();
        timer.abort();
        desk.close_meter();
        let tally = desk.tally.replace(Tally::new(desk.window));
        Ok(Work { tally, lanes, readings })
    }

    async fn connect(&self, share: &Share) -> Result<(Vec<D::Producer>, Vec<D::Consumer>), LoadError> {
        let mut consumers = Vec::with_capacity(share.consumers.len());
        for Reader { subscription, slots, .. } in &share.consumers {
            consumers.push(self.driver.consumer(self.layout, *subscription, slots).await?);
        }
        let mut producers = Vec::with_capacity(share.producers.len());
        for task in &share.producers {
            let topic = (task.number / self.cell.producers_per_topic) as usize;
            producers.push(self.driver.producer(self.layout, topic).await?);
        }
        let producers = producers.into_iter().map(|mut producer| {
            spawn_local(async move {
                producer.ready().await?;
                Ok(producer)
            })
        });
        // Together: the members of a group wait for each other.
        let consumers = consumers.into_iter().map(|mut consumer| {
            spawn_local(async move {
                consumer.ready().await?;
                Ok(consumer)
            })
        });
        let (producers, consumers) = (producers.collect(), consumers.collect());
        Ok((settled(producers).await?, settled(consumers).await?))
    }
}

async fn settled<T>(hands: Vec<JoinHandle<Result<T, LoadError>>>) -> Result<Vec<T>, LoadError> {
    let mut settled = Vec::with_capacity(hands.len());
    for hand in hands {
        settled.push(hand.await.map_err(|_| LoadError::Panicked)??);
    }
    Ok(settled)
}

/// Resolves when nobody can give the sign to begin any more.
async fn has_ended(mut started: watch::Receiver<Option<Window>>) {
    while started.changed().await.is_ok() {}
}

/// Says so when it is dropped, also by a thread that fails: nobody waits for it in vain.
struct DoneProducing<'a>(&'a Hall);

impl Drop for DoneProducing<'_> {
    fn drop(&mut self) {
        self.0.threads_done_producing.fetch_add(1, Ordering::Release);
    }
}

/// What the thread costs while it counts.
async fn meter(desk: Rc<Desk>) {
    if desk.timer.sleep_until(desk.window.begin_ns).await.is_ok() {
        desk.open_meter();
        if desk.timer.sleep_until(desk.window.end_ns).await.is_ok() {
            desk.close_meter();
        }
    }
}
