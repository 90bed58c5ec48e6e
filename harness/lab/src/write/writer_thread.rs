//! A thread that does nothing but write, woken and answered through eventfd(2).

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use nix::sys::eventfd::{EfdFlags, EventFd};
use rustix::fs::OFlags;

use super::pwrite::Plain;
use super::{Strategy, Target, Writer};
use crate::setting::WriteSetting;

pub(crate) struct WriterThread;

impl Strategy for WriterThread {
    fn name(&self) -> &'static str {
        "writer-thread"
    }

    fn about(&self) -> &'static str {
        "a dedicated thread, woken by eventfd(2), that writes and wakes the appender"
    }

    fn takes(&self, _setting: &WriteSetting) -> bool {
        true
    }

    fn open(&self, target: Target) -> io::Result<Box<dyn Writer>> {
        let plain = Plain { file: target.open(OFlags::empty())?, target };
        let bell = || EventFd::from_flags(EfdFlags::EFD_CLOEXEC).map(Arc::new);
        let (asked, answered) = (bell()?, bell()?);
        let (requests, received) = channel();
        let (answer, answers) = channel();
        let bells = (asked.clone(), answered.clone());
        let thread = std::thread::Builder::new().name("lab-writer".to_owned());
        let thread = thread.spawn(move || serve(plain, &received, &answer, &bells))?;
        Ok(Box::new(Remote { requests: Some(requests), answers, asked, answered, thread: Some(thread) }))
    }
}

/// What the thread is asked for.
enum Request {
    Append { position: u64, count: usize, durable: bool },
    Sync,
}

/// The appender's end.
struct Remote {
    /// Some until the thread is to end.
    requests: Option<Sender<Request>>,
    answers: Receiver<io::Result<()>>,
    asked: Arc<EventFd>,
    answered: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
}

fn serve(
    mut plain: Plain,
    requests: &Receiver<Request>,
    answer: &Sender<io::Result<()>>,
    bells: &(Arc<EventFd>, Arc<EventFd>),
) {
    let (asked, answered) = bells;
    while asked.read().is_ok() {
        // Woken without a request: the appender is gone.
        let Ok(request) = requests.try_recv() else { return };
        let outcome = match request {
            Request::Append { position, count, durable } => plain.append(position, count, durable),
            Request::Sync => plain.sync(),
        };
        if answer.send(outcome).is_err() || answered.write(1).is_err() {
            return;
        }
    }
}

impl Remote {
    fn ask(&self, request: Request) -> io::Result<()> {
        let gone = || io::Error::other("the writer's thread has ended");
        self.requests.as_ref().ok_or_else(gone)?.send(request).map_err(|_| gone())?;
        self.asked.write(1)?;
        self.answered.read()?;
        self.answers.try_recv().map_err(|_| gone())?
    }
}

impl Writer for Remote {
    fn append(&mut self, position: u64, count: usize, durable: bool) -> io::Result<()> {
        self.ask(Request::Append { position, count, durable })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.ask(Request::Sync)
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.requests = None;
        let _ = self.asked.write(1);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
