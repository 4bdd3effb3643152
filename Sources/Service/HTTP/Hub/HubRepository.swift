import Foundation

/// A job's artifact or a model, as Hub clients see it.
protocol HubRepository: Sendable {
  /// Such as `models/qwen2-7b`.
  var id: String { get }
  /// 40 hexadecimal digits that are others when a file is.
  var commit: String { get }
  /// Sorted by path.
  var files: [HubFile] { get }

  /// - Returns: In the order of `files`.
  /// - Throws: `Refusal` (503) where hashing takes longer than a client waits; it goes on.
  func blobs(of files: [HubFile]) async throws -> [HubBlob]

  func sha256(of file: HubFile) async throws -> String

  /// - Throws: `Problem` (410) where the file is known to be damaged or gone.
  func requireServable(_ file: HubFile) throws

  /// - Throws: `Problem` (410) where the file is damaged or gone.
  func open(_ file: HubFile) async throws -> FileHandle

  /// The bytes that were sent weren't those that were promised.
  func noteDamage(to file: HubFile) async
}

extension HubRepository {
  func requireServable(_ file: HubFile) throws {}
}
