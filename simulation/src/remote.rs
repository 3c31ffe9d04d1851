//! Something on another host that is asked over the network.
//!
//! What is to be done stays in this process's memory; what travels is its
//! number. So a question is lost, held up, done without an answer, or done late
//! as the network has it, and no format has to be made up.

use std::{
    any::Any,
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    time::{sleep, timeout},
};
use turmoil::net::{TcpListener, TcpStream};

use crate::clock::Counter;

type Job<S> = Box<dyn FnOnce(&mut S) -> Answer + Send>;
type Answer = Box<dyn Any + Send>;

/// A host's state, which outlives its crashes, and the way to it.
pub(crate) struct Remote<S> {
    host: &'static str,
    port: u16,
    shared: Arc<Shared<S>>,
}

struct Shared<S> {
    state: Mutex<S>,
    jobs: Mutex<BTreeMap<u64, Job<S>>>,
    answers: Mutex<BTreeMap<u64, Answer>>,
    numbers: Counter,
}

impl<S> Clone for Remote<S> {
    fn clone(&self) -> Self {
        Self {
            host: self.host,
            port: self.port,
            shared: self.shared.clone(),
        }
    }
}

impl<S: Send + 'static> Remote<S> {
    pub(crate) fn new(host: &'static str, port: u16, state: S) -> Self {
        Self {
            host,
            port,
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                jobs: Mutex::default(),
                answers: Mutex::default(),
                numbers: Counter::default(),
            }),
        }
    }

    /// Looks at the state from outside of the simulation.
    pub(crate) fn see<R>(&self, look: impl FnOnce(&mut S) -> R) -> R {
        look(&mut self.shared.state.lock().unwrap())
    }

    /// Has something done there. Where this fails it may have been done, or may
    /// be yet.
    pub(crate) async fn ask<R: Send + 'static>(
        &self,
        within: Duration,
        job: impl FnOnce(&mut S) -> R + Send + 'static,
    ) -> io::Result<R> {
        let number = self.shared.numbers.next();
        let job: Job<S> = Box::new(move |state| Box::new(job(state)));
        self.shared.jobs.lock().unwrap().insert(number, job);
        let asked = timeout(within, self.exchange(number)).await;
        asked.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let answer = self.shared.answers.lock().unwrap().remove(&number);
        let answer = answer.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(*answer.downcast().expect("each number has its own answer"))
    }

    async fn exchange(&self, number: u64) -> io::Result<()> {
        let stream = TcpStream::connect((self.host, self.port)).await?;
        let mut stream = BufReader::new(stream);
        stream.write_all(format!("{number}\n").as_bytes()).await?;
        let mut line = String::new();
        match stream.read_line(&mut line).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Serves for as long as the host runs; each answer takes so long.
    pub(crate) async fn serve(self, takes: Duration) -> turmoil::Result {
        let listener = TcpListener::bind(("0.0.0.0", self.port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            let served = self.clone();
            tokio::spawn(async move {
                let _ = served.answer(stream, takes).await;
            });
        }
    }

    async fn answer(&self, stream: TcpStream, takes: Duration) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while stream.read_line(&mut line).await? > 0 {
            sleep(takes).await;
            let number: u64 = line.trim().parse().map_err(io::Error::other)?;
            let job = self.shared.jobs.lock().unwrap().remove(&number);
            if let Some(job) = job {
                let answer = job(&mut self.shared.state.lock().unwrap());
                self.shared.answers.lock().unwrap().insert(number, answer);
            }
            stream.write_all(line.as_bytes()).await?;
            line.clear();
        }
        Ok(())
    }
}
