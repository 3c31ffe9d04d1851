//! Wire types of the Hallpass API, and the problem document of each error code.
