import Checkpoint
import Foundation
import JobModel

/// Brings one file to disk: what is there of it already is gone on with, and what is wrong is got again.
struct HubFileDownload {
  let client: HubClient
  let snapshot: HubSnapshot
  let file: ListedFile
  /// Where the file goes.
  let folder: URL
  let settings: HubSettings
  let progress: HubProgress
  let isCancelled: @Sendable () -> Bool

  /// A file that is wrong so often stays so.
  private static let wrongLimit = 3
  /// Of new bytes, after which a failure counts as the first again.
  private static let progressBytes = 1 << 20

  static func target(_ file: ListedFile, in folder: URL) -> URL { folder.appending(component: file.name) }

  static func partial(_ file: ListedFile, in folder: URL) -> URL { folder.appending(component: file.name + ".part") }

  /// Bytes of a file that are there.
  static func present(_ file: ListedFile, in folder: URL) -> Int {
    if FileIdentity(of: target(file, in: folder))?.size == file.size { return file.size }
    let size = FileIdentity(of: partial(file, in: folder))?.size ?? 0
    return size <= file.size ? size : 0
  }

  /// - Throws: `HubError`, `POSIXError` of the disk.
  func run(over connection: OutgoingConnection) throws {
    let (target, partial) = (Self.target(file, in: folder), Self.partial(file, in: folder))
    if FileIdentity(of: target)?.size == file.size { return }
    var patience = HubPatience(settings, isCancelled: isCancelled)
    var wrong = 0
    while true {
      let before = Self.present(file, in: folder)
      do {
        try fill(partial, over: connection)
        try file.verify(partial, isCancelled: isCancelled)
        return try DurableFile.move(partial, to: target)
      } catch let error as HubError {
        switch error {
        case .wrongBytes:
          discard(partial)
          wrong += 1
          guard wrong < Self.wrongLimit else { throw error }
        default:
          try patience.wait(after: error, hasProgressed: Self.present(file, in: folder) - before >= Self.progressBytes)
        }
      }
    }
  }

  private func discard(_ partial: URL) {
    progress.add(-Self.present(file, in: folder))
    _ = unsafe unlink(partial.path)
  }

  /// Adds what is missing to the partial file, durably.
  private func fill(_ partial: URL, over connection: OutgoingConnection) throws {
    let body = try HubFileBody(partial, file, progress)
    if body.offset < file.size {
      try client.get(
        snapshot.path(of: file), .init(reference: snapshot.reference, file: file.name), from: body.offset, timeout: nil,
        over: connection, isCancelled: isCancelled, into: body)
    }
    try body.finish()
  }
}

/// Writes a body to the end of a file.
private final class HubFileBody: OutgoingConnection.Body {
  /// Bytes that are there.
  private(set) var offset: Int
  private let descriptor: Int32
  private let file: ListedFile
  private let progress: HubProgress

  init(_ partial: URL, _ file: ListedFile, _ progress: HubProgress) throws {
    (self.file, self.progress) = (file, progress)
    descriptor = unsafe open(partial.path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    offset = 0
    guard descriptor >= 0 else { throw Self.lastError }
    let size = Int(lseek(descriptor, 0, SEEK_END))
    if size > file.size { try truncate() } else { offset = size }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  private static var lastError: POSIXError { POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }

  private func truncate() throws {
    guard ftruncate(descriptor, 0) == 0, lseek(descriptor, 0, SEEK_SET) == 0 else { throw Self.lastError }
    offset = 0
  }

  func begin(_ head: AnswerHead) throws {
    if head.status == 206 {
      guard head["content-range"] == "bytes \(offset)-\(file.size - 1)/\(file.size)", offset > 0 else {
        throw HubError.wrongBytes(file: file.name, reason: "another range than was asked for")
      }
    } else if offset > 0 {
      // It doesn't know ranges.
      progress.add(-offset)
      try truncate()
    }
    guard let length = try head.contentLength(), length != file.size - offset else { return }
    throw HubError.wrongBytes(file: file.name, reason: "\(length) bytes are announced where \(file.size - offset) are missing")
  }

  func receive(_ bytes: UnsafeRawBufferPointer) throws {
    guard bytes.count <= file.size - offset else { throw HubError.wrongBytes(file: file.name, reason: "more than \(file.size) bytes") }
    var rest = unsafe bytes[...]
    while unsafe !rest.isEmpty {
      let count = unsafe write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
      guard count > 0 else {
        if count < 0, errno == EINTR { continue }
        throw Self.lastError
      }
      offset += count
      progress.add(count)
      unsafe rest = rest.dropFirst(count)
    }
  }

  /// - Throws: `HubError.wrongBytes` where bytes are missing although the answer has ended.
  func finish() throws {
    guard offset == file.size else { throw HubError.wrongBytes(file: file.name, reason: "\(offset) bytes instead of \(file.size)") }
    guard fsync(descriptor) == 0 else { throw Self.lastError }
  }
}
