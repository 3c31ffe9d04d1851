//! Lines on standard output, which may hang and must hold nobody up.

use std::{
    io::Write,
    sync::{
        LazyLock,
        mpsc::{SyncSender, sync_channel},
    },
    time::Duration,
};

use tokio::sync::oneshot;

/// How long standard output may take for some lines.
const PATIENCE: Duration = Duration::from_secs(30);

type Job = (String, oneshot::Sender<Result<(), String>>);

/// One thread writes for all; a reader that stops reading stops only it.
static WRITER: LazyLock<SyncSender<Job>> = LazyLock::new(|| {
    let (jobs, queue) = sync_channel::<Job>(1);
    let write = move || {
        for (text, done) in queue {
            let mut out = std::io::stdout().lock();
            let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            // Whoever gave up waiting sends the lines again.
            let _ = done.send(written.map_err(|error| error.to_string()));
        }
    };
    // Without the thread every job is refused, and says so.
    let _ = std::thread::Builder::new()
        .name("stdout".to_owned())
        .spawn(write);
    jobs
});

/// Writes some text; an error when it could not be written in time.
pub(super) async fn write(text: String) -> Result<(), String> {
    let (done, written) = oneshot::channel();
    WRITER
        .try_send((text, done))
        .map_err(|_| "standard output takes nothing".to_owned())?;
    match tokio::time::timeout(PATIENCE, written).await {
        Ok(Ok(written)) => written,
        Ok(Err(_)) => Err("standard output is closed".to_owned()),
        Err(_) => Err("standard output takes nothing".to_owned()),
    }
}
