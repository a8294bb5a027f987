//! Files for a stage, through our client.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use snowcat_host::Failure;
use snowcat_host::snowflake::Session;
use snowcat_host::stage::{Locate, Queue, QueueLimits, StageInfo, StagePath};

/// The address of the file in the statement of an upload.
pub(crate) const FILE: &str = "/snowcat/x";

/// A session whose PUT statements say where files go.
struct Puts(Arc<Mutex<Session>>);

impl Locate for Puts {
    fn locate(&self, place: &StagePath) -> Result<StageInfo, Failure> {
        let StagePath { stage, folder, name } = place;
        let put = format!(
            "PUT 'file:///snowcat/{name}' '@{stage}/{folder}' AUTO_COMPRESS=FALSE OVERWRITE=TRUE"
        );
        let data = self.0.lock().unwrap().upload_info(&put)?;
        let failure = |message| Failure { code: String::new(), message, transient: false };
        StageInfo::parse(&data).map_err(failure)
    }
}

/// Uploads one small file, and waits for its arrival.
pub(crate) fn put(session: &Arc<Mutex<Session>>, stage: &str) -> Result<(), Failure> {
    let limits = QueueLimits { first_wait: Duration::from_millis(2), ..QueueLimits::default() };
    let queue = Queue::new(Arc::new(Puts(Arc::clone(session))), limits);
    queue.submit(StagePath::new(stage.trim_start_matches('@'), "folder/x"), b"one file".to_vec());
    queue.finish()
}
