//! The archive in stores that speak S3, Google's and Azure's protocols.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's failure is a panic"
)]

mod support;

use std::{fs, path::Path, sync::Arc, time::Duration};

use hallpass_audit::{Archive, Evidence, Keeper, Trail, restore, verify, verify_against};
use hallpass_core::{Timestamp, ports::AuditLog};
use hallpass_testkit::store::{Mood, ObjectStore, ServiceAccount, Vendor};
use support::{StillClock, event, quick_dir, segments, settings};

const SEGMENTS: usize = 6;
const BYTES: u64 = 6000;

fn vendors() -> [Vendor; 3] {
    let text = |text: &str| text.to_owned();
    [
        Vendor::S3 {
            key_id: text("AKIDEXAMPLE"),
            secret: text("not a secret of anyone's"),
        },
        Vendor::Google(Arc::new(ServiceAccount::new())),
        Vendor::Azure {
            account: text("hallpass"),
            key: text("bm90IGEgc2VjcmV0IG9mIGFueW9uZSdz"),
        },
    ]
}

/// A trail of some sealed segments and one more, and who keeps them.
struct Case {
    dir: tempfile::TempDir,
    trail: Trail,
    store: ObjectStore,
    keeper: Keeper,
}

impl Case {
    async fn of(vendor: Vendor) -> Self {
        let dir = quick_dir();
        let mut settings = settings(dir.path());
        settings.segment_max_bytes = BYTES;
        let (trail, _) = Trail::open(settings).unwrap();
        for number in 0.. {
            trail.append(event(number)).await.unwrap();
            if segments(dir.path()).len() > SEGMENTS {
                break;
            }
        }
        // From here on no segment ends, however much keeping records.
        drop(trail);
        let trail = support::open(dir.path()).0;
        let store = ObjectStore::start(vendor).await;
        let keeper = Keeper {
            dir: dir.path().to_owned(),
            archive: Some(archive(&store, store.environment())),
            hot_days: 30,
            retention_days: 90,
            written: None,
        };
        Self {
            dir,
            trail,
            store,
            keeper,
        }
    }

    async fn keep(&self, days: u64) -> Result<hallpass_audit::Kept, hallpass_audit::KeepError> {
        self.keeper.keep(after(days), &self.trail).await
    }
}

/// The time a number of days after the records were written.
fn after(days: u64) -> Timestamp {
    use hallpass_core::ports::Clock;
    StillClock.now() + Duration::from_secs(days * 86_400)
}

/// The archive as a configuration and the environment name it.
fn archive(store: &ObjectStore, environment: Vec<(String, String)>) -> Archive {
    let impatient = [("timeout".to_owned(), "300ms".to_owned())];
    Archive::open(&store.url(), environment.into_iter().chain(impatient)).unwrap()
}

fn contents(paths: &[std::path::PathBuf]) -> Vec<Vec<u8>> {
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn segments_go_there_come_back_the_same_and_are_removed_in_time() {
    for vendor in vendors() {
        let case = Case::of(vendor.clone()).await;
        let here = segments(case.dir.path());
        let whole = contents(&here);
        let kept = case
            .keep(1)
            .await
            .unwrap_or_else(|error| panic!("{vendor:?}: {error}"));
        assert_eq!(
            (kept.archived, kept.removed_here),
            (SEGMENTS, 0),
            "{vendor:?}"
        );
        let names = case.store.names();
        assert_eq!(names.len(), SEGMENTS);
        assert!(
            names[0].starts_with("hallpass/audit/trail-0000"),
            "{names:?}"
        );
        assert_eq!(
            case.keep(2).await.unwrap().archived,
            0,
            "all pages are read"
        );

        let kept = case.keep(31).await.unwrap();
        assert_eq!((kept.removed_here, kept.removed_archived), (SEGMENTS, 0));
        let report = verify(case.dir.path(), None, |_| {}).unwrap();
        assert!(report.hash_only > 0, "{vendor:?}");

        let back = quick_dir();
        let from = case.keeper.archive.as_ref().unwrap();
        let brought = restore(case.dir.path(), from, back.path(), None, None)
            .await
            .unwrap();
        assert_eq!(brought.len(), SEGMENTS);
        assert_eq!(
            contents(&segments(back.path())),
            whole[..SEGMENTS],
            "{vendor:?}"
        );
        assert_verifies_alone(back.path());

        let kept = case.keep(91).await.unwrap();
        assert!(kept.removed_archived >= SEGMENTS, "{vendor:?}: {kept:?}");
        let left = case.store.names();
        assert!(!left.contains(&names[0]), "{vendor:?}: {left:?}");
        verify(case.dir.path(), None, |_| {}).unwrap();
        assert_eq!(case.store.strangers(), 0);
    }
}

fn assert_verifies_alone(dir: &Path) {
    let partial = Evidence {
        partial: true,
        ..Evidence::default()
    };
    verify_against(dir, &partial, |_| {}).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_hangs_or_corrupts_leaves_every_segment_here() {
    for vendor in vendors() {
        for mood in [Mood::Fails, Mood::Hangs, Mood::Corrupts, Mood::Truncates] {
            let case = Case::of(vendor.clone()).await;
            case.store.set(mood);
            let here = segments(case.dir.path());
            let error = case.keep(31).await.unwrap_err().to_string();
            assert!(error.contains(&case.store.url()), "{mood:?}: {error}");
            assert_eq!(segments(case.dir.path())[..SEGMENTS], here[..SEGMENTS]);

            // Well again, it gets them; what it kept wrong is not trusted.
            case.store.set(Mood::Well);
            for name in case.store.names() {
                case.keep(31).await.unwrap_err();
                assert_eq!(segments(case.dir.path())[..SEGMENTS], here[..SEGMENTS]);
                case.store.lose(&name);
            }
            let kept = case.keep(31).await.unwrap();
            assert_eq!(kept.removed_here, SEGMENTS, "{mood:?}");
            assert_eq!(case.store.names().len(), SEGMENTS, "{mood:?}");
            verify(case.dir.path(), None, |_| {}).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_archived_well_and_went_bad_is_noticed_before_the_local_copy_goes() {
    for vendor in vendors() {
        let case = Case::of(vendor).await;
        case.keep(1).await.unwrap();
        let name = case.store.names().remove(2);
        case.store.replace(&name, b"something else".to_vec());
        case.keep(31).await.unwrap_err();
        assert_eq!(segments(case.dir.path()).len(), SEGMENTS + 1);
        case.store.lose(&name);
        let kept = case.keep(31).await.unwrap();
        assert_eq!((kept.archived, kept.removed_here), (1, SEGMENTS));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_credential_is_said_and_moves_nothing() {
    let wrong = [
        ("AWS_SECRET_ACCESS_KEY", "other".to_owned()),
        (
            "GOOGLE_SERVICE_ACCOUNT_KEY",
            ServiceAccount::new().to_json(),
        ),
        ("AZURE_STORAGE_ACCOUNT_KEY", "b3RoZXI=".to_owned()),
    ];
    for (vendor, wrong) in vendors().into_iter().zip(wrong) {
        let mut case = Case::of(vendor).await;
        let mut environment = case.store.environment();
        environment.push((wrong.0.to_owned(), wrong.1));
        case.keeper.archive = Some(archive(&case.store, environment));
        let error = case.keep(31).await.unwrap_err().to_string();
        assert!(case.store.strangers() > 0, "{error}");
        assert!(case.store.names().is_empty());
        assert_eq!(segments(case.dir.path()).len(), SEGMENTS + 1);
    }
}
