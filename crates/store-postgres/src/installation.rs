//! Whether all replicas have the same installation key.

use hallpass_core::{
    hash::{InstallKey, Purpose},
    ports::StoreError,
};

use crate::{database::Database, rows::get, statement::Statement};

/// What is hashed to tell one key from another; says nothing about the key.
const KNOWN_TEXT: &[u8] = b"hallpass: the same installation key";

/// This replica has another installation key than those before it.
#[derive(Debug, thiserror::Error)]
pub enum ForeignKey {
    /// The key differs.
    #[error(
        "this replica's installation key is not that of the replicas that share this database: API keys, passes and safety identifiers would not be recognised. Give every replica the same key: copy install.key from the data directory of the first one, or set server.install_key_file."
    )]
    Differs,
    /// It can't be found out.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Database {
    /// Checks that this replica has the installation key of the others; the
    /// first one sets it.
    ///
    /// # Errors
    ///
    /// [`ForeignKey`] where it has another.
    pub async fn check_key(&self, key: &InstallKey) -> Result<(), ForeignKey> {
        let ours = key.hasher(Purpose::Audit).hash(KNOWN_TEXT);
        let asked = Statement::new(
            "WITH first AS (INSERT INTO installation (fingerprint) VALUES ($1) \
             ON CONFLICT DO NOTHING RETURNING fingerprint) \
             SELECT fingerprint FROM first UNION ALL SELECT fingerprint FROM installation",
        );
        let asked = asked.bind(ours.as_bytes().as_slice());
        // Whoever loses the race for the first row sees it the second time.
        for _ in 0..2 {
            let row = self.row(asked.clone()).await?;
            let Some(row) = row else { continue };
            let known: Vec<u8> = get(&row, "fingerprint")?;
            return if known == ours.as_bytes() {
                Ok(())
            } else {
                Err(ForeignKey::Differs)
            };
        }
        Err(StoreError("PostgreSQL: the installation is not noted".to_owned()).into())
    }
}
