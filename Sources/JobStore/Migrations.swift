import GRDB

/// The database's schema, one SQL file of `migrations/` after the other; GRDB remembers by name which were applied.
enum Migrations {
  /// Embedded in the program, in order; SwiftPM makes an identifier of a file name by replacing its first digit.
  private static let files: [(name: String, sql: [UInt8])] = [
    ("0001_jobs", PackageResources._001_jobs_sql),
    ("0002_recovery", PackageResources._002_recovery_sql),
    ("0003_modules", PackageResources._003_modules_sql),
    ("0004_interruptions", PackageResources._004_interruptions_sql),
    ("0005_uploads", PackageResources._005_uploads_sql),
    ("0006_webhooks", PackageResources._006_webhooks_sql),
    ("0008_metrics", PackageResources._008_metrics_sql),
    ("0009_submissions", PackageResources._009_submissions_sql),
  ]

  static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    for (name, sql) in files {
      migrator.registerMigration(name) { database in try database.execute(sql: String(decoding: sql, as: UTF8.self)) }
    }
    return migrator
  }
}
