import Foundation
import GRDB
import JobModel
import JobStore
import Testing

@Suite struct OpeningTests {
  private let store: TestStore

  init() throws { store = try TestStore() }

  @Test("Commits reach the disk before they return, and readers don't wait for the writer")
  func setsPragmas() async throws {
    #expect(try await store.repository.pragma("synchronous") == "2")  // FULL
    #expect(try await store.repository.pragma("journal_mode") == "wal")
    #expect(try await store.repository.pragma("foreign_keys") == "1")
  }

  @Test("A file that is no database, or a piece of one, is refused with advice", arguments: ["garbage", "truncated"])
  func refusesDamage(_ kind: String) throws {
    let file = store.folder.appending(component: "\(kind).sqlite")
    switch kind {
    case "garbage": try Data((0..<8192).map { UInt8($0 * 7 % 251) }).write(to: file)
    default:
      let whole = store.folder.appending(component: "whole.sqlite")
      try DatabaseQueue(path: whole.path).write { database in
        for table in 0..<8 { try database.execute(sql: "CREATE TABLE t\(table) (a TEXT)") }
      }
      try Data(contentsOf: whole).prefix(6000).write(to: file)
    }
    let error = try #require(throws: JobStoreError.self) { try JobRepository(database: file) }
    #expect(error == .notADatabase(path: file.path), "\(error)")
    #expect(error.description.contains("move it away"))
  }

  @Test("A database that a newer program wrote is refused by name")
  func refusesNewerSchemas() throws {
    let queue = try DatabaseQueue(path: store.file.path)
    try queue.write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('0099_future')") }
    #expect(throws: JobStoreError.newerSchema(path: store.file.path, migrations: ["0099_future"])) {
      try JobRepository(database: store.file)
    }
  }

  @Test("A folder that isn't there is an error that names the path")
  func refusesMissingFolders() throws {
    let error = try #require(throws: JobStoreError.self) { try JobRepository(database: URL(filePath: "/nowhere/x.sqlite")) }
    #expect(error.description.contains("/nowhere/x.sqlite can't be opened"))
  }
}
