//! One connection on which requests go out before earlier ones are answered.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::Peer;
use crate::LoadError;

/// Requests that may wait for their answers on one connection: what drivers of peers declare.
pub(crate) const IN_FLIGHT: u32 = 1024;
/// What is held back at most before it is handed to the kernel unasked.
pub(crate) const HELD_BACK_BYTES: usize = 16 << 10;

/// Finds the answers in what a peer sends.
pub(crate) trait Answers: Send + 'static {
    /// Whether there are any: without, a request counts as answered when the kernel has it.
    const ARE_AWAITED: bool = true;

    /// Takes the next whole answer off the front of `inbox`; `None` until more bytes are there. What the protocol wants said at once is
    /// appended to `out`.
    ///
    /// # Errors
    /// The peer does not speak its protocol: the connection can't be used any longer.
    fn next(&mut self, inbox: &mut BytesMut, out: &mut BytesMut) -> Result<Option<Answer>, String>;
}

/// What a peer says of requests, which are numbered from 0.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Of the oldest one without an answer.
    Next(Result<(), String>),
    /// Of this one, and of all those before it that have no answer.
    To {
        /// Its number.
        number: u64,
        /// Whether those before it are meant, too.
        all_before: bool,
        /// Taken, or why not.
        outcome: Result<(), String>,
    },
}

/// The connection. Dropping it closes it; receipts without an answer then fail.
#[derive(Debug)]
pub(crate) struct Pipeline {
    shared: Arc<Shared>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    /// Whom we talk to, for errors.
    peer: Peer,
    state: Mutex<State>,
    /// There is something to write.
    outgoing: Notify,
}

#[derive(Debug, Default)]
struct State {
    held_back: BytesMut,
    sent: u64,
    /// All before this one have an answer.
    answered: u64,
    /// Those behind it that have one already.
    early: BTreeSet<u64>,
    /// Why some of the answered ones were refused.
    refused: BTreeMap<u64, String>,
    /// Why the connection has ended.
    gone: Option<String>,
    /// Receipts and senders that wait for an answer, whichever it is.
    waiting: Vec<Waker>,
}

impl Pipeline {
    /// Takes over a connection on which greetings are done.
    pub(crate) fn new(peer: &Peer, stream: TcpStream, answers: impl Answers) -> Pipeline {
        let shared = Arc::new(Shared { peer: peer.clone(), state: Mutex::default(), outgoing: Notify::new() });
        let task = tokio::spawn(run(shared.clone(), stream, answers)).abort_handle();
        Pipeline { shared, task }
    }

    /// Has it ended?
    pub(crate) fn is_gone(&self) -> bool {
        self.shared.lock().gone.is_some()
    }

    /// Waits while [`IN_FLIGHT`] requests wait for their answers, and then until no more than half of them do, or the connection has
    /// ended: refilled answer by answer, a server would be woken for a few requests each time.
    pub(crate) async fn room(&self) {
        let mut most = IN_FLIGHT - 1;
        std::future::poll_fn(|context| {
            let mut state = self.shared.lock();
            if state.unanswered() <= u64::from(most) || state.gone.is_some() {
                return Poll::Ready(());
            }
            most = IN_FLIGHT / 2;
            state.wait(context);
            // What is held back would never be answered.
            self.shared.outgoing.notify_one();
            Poll::Pending
        })
        .await;
    }

    /// Waits until a request has its answer, or the connection has ended.
    pub(crate) async fn answered(&self, number: u64) {
        std::future::poll_fn(|context| {
            let mut state = self.shared.lock();
            if state.has_answer(number) || state.gone.is_some() {
                return Poll::Ready(());
            }
            state.wait(context);
            self.shared.outgoing.notify_one();
            Poll::Pending
        })
        .await;
    }

    /// Whether the next request has to wait.
    pub(crate) fn is_full(&self) -> bool {
        self.shared.lock().unanswered() >= u64::from(IN_FLIGHT)
    }

    /// Adds one request, which `write` appends whole; it is given its number. What it does not append must come by
    /// [`Self::append`].
    pub(crate) fn request(&mut self, write: impl FnOnce(&mut BytesMut, u64)) -> Receipt {
        let mut state = self.shared.lock();
        let number = state.sent;
        state.sent += 1;
        write(&mut state.held_back, number);
        let is_much = state.held_back.len() >= HELD_BACK_BYTES;
        drop(state);
        if is_much {
            self.flush();
        }
        Receipt { shared: self.shared.clone(), number }
    }

    /// Appends to what is held back.
    pub(crate) fn append(&mut self, write: impl FnOnce(&mut BytesMut)) {
        write(&mut self.shared.lock().held_back);
    }

    /// Lets go what is held back.
    pub(crate) fn flush(&self) {
        self.shared.outgoing.notify_one();
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.end("the connection was closed before the answer came".to_owned());
    }
}

/// The answer to one request, or to one of the records in it.
#[derive(Debug, Clone)]
pub struct Receipt {
    shared: Arc<Shared>,
    number: u64,
}

impl Receipt {
    /// The number of its request.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

impl Future for Receipt {
    type Output = Result<(), LoadError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.shared.lock();
        let said = if state.has_answer(self.number) {
            state.refused.get(&self.number).cloned()
        } else if state.gone.is_some() {
            state.gone.clone()
        } else {
            state.wait(context);
            return Poll::Pending;
        };
        Poll::Ready(said.map_or(Ok(()), |said| Err(self.shared.peer.error(said))))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, why: String) {
        let mut state = self.lock();
        state.gone.get_or_insert(why);
        state.wake();
    }
}

impl State {
    fn has_answer(&self, number: u64) -> bool {
        number < self.answered || self.early.contains(&number)
    }

    fn unanswered(&self) -> u64 {
        self.sent - self.answered
    }

    fn wait(&mut self, context: &Context<'_>) {
        if !self.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
            self.waiting.push(context.waker().clone());
        }
    }

    fn wake(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }

    fn answer(&mut self, answer: Answer) -> Result<(), String> {
        let (first, last, outcome) = match answer {
            Answer::Next(outcome) => (self.answered, self.answered, outcome),
            Answer::To { number, all_before: true, outcome } => (self.answered, number, outcome),
            Answer::To { number, all_before: false, outcome } => (number, number, outcome),
        };
        if last >= self.sent {
            return Err("it answered what nobody asked".to_owned());
        }
        if first == self.answered && outcome.is_ok() && self.early.is_empty() {
            self.answered = self.answered.max(last + 1);
            return Ok(());
        }
        for number in first..=last {
            if number < self.answered || !self.early.insert(number) {
                continue;
            }
            if let Err(said) = &outcome {
                self.refused.insert(number, said.clone());
            }
        }
        while self.early.remove(&self.answered) {
            self.answered += 1;
        }
        Ok(())
    }
}

/// Moves bytes both ways until the connection ends.
async fn run<A: Answers>(shared: Arc<Shared>, mut stream: TcpStream, mut answers: A) {
    let (mut read, mut write) = stream.split();
    let (mut inbox, mut outbox) = (BytesMut::with_capacity(HELD_BACK_BYTES), BytesMut::new());
    // Requests that end within what has been taken to the outbox.
    let mut taken = 0;
    let why = loop {
        tokio::select! {
            () = shared.outgoing.notified(), if outbox.is_empty() => {
                let mut state = shared.lock();
                outbox = std::mem::replace(&mut state.held_back, outbox);
                taken = state.sent;
            }
            written = write.write_buf(&mut outbox), if outbox.has_remaining() => match written {
                Ok(_) if outbox.is_empty() => {
                    let mut state = shared.lock();
                    if !A::ARE_AWAITED {
                        state.answered = taken;
                        state.wake();
                    }
                    // More may have come meanwhile.
                    if !state.held_back.is_empty() {
                        shared.outgoing.notify_one();
                    }
                }
                Ok(_) => {}
                Err(error) => break error.to_string(),
            },
            read = read.read_buf(&mut inbox) => match read {
                Ok(0) => break "it closed the connection".to_owned(),
                Ok(_) => {
                    let mut state = shared.lock();
                    let broken = loop {
                        match answers.next(&mut inbox, &mut outbox) {
                            Ok(None) => break None,
                            Ok(Some(answer)) => {
                                if let Err(why) = state.answer(answer) {
                                    break Some(why);
                                }
                            }
                            Err(why) => break Some(why),
                        }
                    };
                    state.wake();
                    if let Some(why) = broken {
                        break why;
                    }
                }
                Err(error) => break error.to_string(),
            },
        }
    };
    shared.end(why);
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;

    use tokio::net::TcpListener;

    use super::*;

    /// Every byte is one.
    struct Bytes;

    impl Answers for Bytes {
        fn next(&mut self, inbox: &mut BytesMut, _: &mut BytesMut) -> Result<Option<Answer>, String> {
            Ok((!inbox.is_empty()).then(|| {
                inbox.advance(1);
                Answer::Next(Ok(()))
            }))
        }
    }

    #[tokio::test]
    async fn who_has_filled_it_goes_on_when_half_is_answered() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Peer::of_url("redis", &listener.local_addr().unwrap().to_string()).unwrap().unwrap();
        let mut pipeline = Pipeline::new(&peer, peer.connect().await.unwrap(), Bytes);
        let (mut server, _) = listener.accept().await.unwrap();
        pipeline.room().await;
        let receipts: Vec<Receipt> = (0..IN_FLIGHT).map(|_| pipeline.request(|_, _| ())).collect();
        let mut room = pin!(pipeline.room());
        let mut is_waiting = async || poll_fn(|context| Poll::Ready(room.as_mut().poll(context).is_pending())).await;
        assert!(is_waiting().await);
        let half = IN_FLIGHT as usize / 2;
        server.write_all(&vec![0; half - 1]).await.unwrap();
        receipts[half - 2].clone().await.unwrap();
        assert!(is_waiting().await);
        server.write_all(&[0]).await.unwrap();
        room.await;
    }
}
