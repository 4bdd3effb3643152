import GRDB

extension JobRepository {
  /// A setting of the writer's connection.
  package func pragma(_ name: String) async throws -> String? {
    try await database.write { try String.fetchOne($0, sql: "PRAGMA \(name)") }
  }
}
