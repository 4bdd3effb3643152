import Foundation
import GRDB
import JobModel

/// What a client uploads to: a file of a model, or a dataset.
public struct UploadTarget: Hashable, Sendable, CustomStringConvertible {
  public enum Kind: String, Sendable { case model, dataset }

  public let kind: Kind
  /// Of the model or dataset.
  public let name: String
  /// Of the model's file; empty for a dataset.
  public let path: String

  public static func file(_ path: ModelFilePath, of model: String) -> UploadTarget {
    UploadTarget(kind: .model, name: model, path: path.description)
  }

  public static func dataset(_ name: String) -> UploadTarget { UploadTarget(kind: .dataset, name: name, path: "") }

  init(kind: Kind, name: String, path: String) { (self.kind, self.name, self.path) = (kind, name, path) }

  init(_ row: Row) throws {
    guard let kind = Kind(rawValue: row["kind"]) else { throw UploadError.unknown }
    self.init(kind: kind, name: row["name"], path: row["path"])
  }

  var arguments: StatementArguments { [kind.rawValue, name, path] }

  public var description: String { kind == .model ? "\(path) of the model \(name)" : "the dataset \(name)" }
}

/// An upload that isn't finished.
public struct Upload: Sendable, Hashable {
  /// What the bytes of a whole file turned out to be.
  public struct Publication: Codable, Sendable, Hashable {
    public let size: Int
    public let sha256: String
    /// Of a dataset.
    public let rows: Int?

    public init(size: Int, sha256: String, rows: Int?) { (self.size, self.sha256, self.rows) = (size, sha256, rows) }
  }

  /// Name of the file that holds what came.
  public let id: String
  public let target: UploadTarget
  /// Bytes; nil: not known.
  public let total: Int?
  /// As the client promises it.
  public let sha256: String?
  /// Bytes that are on the disk for certain.
  public let received: Int
  public let at: Date
  /// Set from when all bytes are there until the file has its name.
  public let publication: Publication?

  init(_ row: Row) throws {
    (id, target, total, sha256, received) = (row["id"], try UploadTarget(row), row["total"], row["sha256"], row["received"])
    at = try APICoding.date(row["at"])
    let text: String? = row["publication"]
    publication = try text.map { try APICoding.decode(Publication.self, from: Data($0.utf8)) }
  }
}

/// A file that was uploaded.
public struct UploadedFile: Sendable, Hashable {
  public let target: UploadTarget
  public let size: Int
  public let sha256: String
  public let rows: Int?
  public let at: Date

  init(_ row: Row) throws {
    (target, size, sha256, rows) = (try UploadTarget(row), row["size"], row["sha256"], row["rows"])
    at = try APICoding.date(row["at"])
  }
}

/// How much may be uploaded.
public struct UploadLimits: Sendable, Hashable {
  /// Bytes of a file.
  public var fileBytes = 64 << 30
  /// Uploads at once.
  public var concurrent = 16
  public var models = 1000
  /// Of a model.
  public var files = 1000
  public var datasets = 1000
  /// For which an upload that was cut off is kept.
  public var resumption = Duration.seconds(168 * 3600)

  public init() {}
}

/// What keeps an upload, a deletion or a job from being stored.
public enum UploadError: Error, Hashable, Sendable {
  /// A job that hasn't ended needs what would change.
  case inUse(UploadTarget, job: String)
  /// What a job names isn't there in full.
  case unfinished(UploadTarget, received: Int, total: Int?)
  /// As many models, datasets or files of a model as may be.
  case tooMany(String, limit: Int, key: String)
  /// The files of an earlier one of the name aren't gone yet.
  case beingDeleted(UploadTarget)
  case unknown
}
