import Foundation
import HTTPTypes
import Hummingbird
import JobModel
import JobRunner
import JobStore
import Logging
import NIOCore
import ServiceLifecycle

/// Takes the body of a `PUT` to disk. What came before a connection was cut stays, and is gone on with.
struct UploadReceiver: Sendable {
  let repository: JobRepository
  let folder: UploadFolder
  /// The configured roots, whose names nothing is uploaded under.
  let roots: ResourceCatalog
  let desk: UploadDesk
  let files: WorkerPool
  let limits: UploadLimits

  /// Bytes that are written at once.
  private static let chunk = 512 << 10
  /// Bytes between two moments at which what came is made durable.
  private static let stretch = 64 << 20

  enum Outcome: Sendable {
    /// Durable.
    case whole(UploadedFile, isNew: Bool)
    /// More is to come.
    case part(received: Int)
  }

  /// - Throws: `Problem`, `Refusal`, `DiskFault`; what reading the body throws.
  func receive(_ request: Request, to target: UploadTarget, _ context: APIContext) async throws -> Outcome {
    let head = try UploadRequest(request, target: target, maxBytes: limits.fileBytes)
    let claim = try desk.claim(target)
    defer { withExtendedLifetime(claim) {} }
    try await check(head, claim)
    let upload = try await begin(head)
    let writer: UploadWriter
    do {
      writer = try await open(upload, head)
    } catch {
      if head.offset == 0 { await abandon(upload) }
      throw error
    }
    do {
      context.channel.triggerUserOutboundEvent(ConnectionGuard.BodyEvent.takesBody, promise: nil)
      // The daemon doesn't wait for uploads when it stops.
      try await cancelWhenGracefulShutdown { try await write(request.body, to: writer, upload, claim) }
      return try await end(upload, head, writer)
    } catch {
      try await close(upload, head, writer, after: error)
    }
  }

  // MARK: Before the body

  private func check(_ head: UploadRequest, _ claim: UploadDesk.Claim) async throws {
    let (target, folder, roots) = (head.target, folder, roots)
    let free = try await files.run {
      guard !roots.has(target.name, target.kind) else {
        throw Problem(
          .conflict, status: 409, title: "The name is taken",
          detail: "the configured roots have a \(target.kind.rawValue) named \(target.name); choose another name")
      }
      try folder.requirePlace(for: target)
      return folder.freeBytes
    }
    let bytes = (head.total ?? head.length ?? 0) - head.offset
    guard claim.reserve(bytes, of: free) else {
      throw Problem(
        .insufficientStorage, status: 507, title: "The disk has too little room for the file",
        detail: "\(bytes) bytes are to come, \(free ?? 0) are free on the data folder's disk, of which uploads that go on need a part; "
          + "free space, or delete models, datasets and jobs that are no longer needed")
    }
  }

  private func begin(_ head: UploadRequest) async throws -> Upload {
    guard head.offset > 0 else {
      let (upload, replaced) = try await repository.beginUpload(
        to: head.target, total: head.total, sha256: head.sha256, limits: limits, now: Date())
      if let replaced { await removeFile(of: replaced) }
      return upload
    }
    let folder = folder
    guard let upload = try await repository.upload(to: head.target) else { throw Refusal.wrongOffset(head.offset, expected: 0) }
    let size = try await files.run { folder.size(ofUnfinished: upload.id) } ?? 0
    guard size >= head.offset else { throw Refusal.wrongOffset(head.offset, expected: size) }
    if let total = upload.total, total != head.total { throw Problem.otherFile("has \(total) bytes, this one \(head.total ?? 0)") }
    if let known = upload.sha256, let sha256 = head.sha256, known != sha256 {
      throw Problem.otherFile("has the SHA-256 \(known), this one \(sha256)")
    }
    return upload
  }

  private func open(_ upload: Upload, _ head: UploadRequest) async throws -> UploadWriter {
    let (folder, digest) = (folder, head.offset == 0 ? UploadDigest(head.target.kind) : desk.take(upload.id, size: head.offset))
    let limit = head.length.map { UploadWriter.Limit.range(head.offset + $0) } ?? .any(limits.fileBytes)
    return try await files.run {
      let file = head.offset == 0 ? try folder.makeUnfinished(upload.id) : try folder.openUnfinished(upload.id)
      guard let file else { throw Refusal.wrongOffset(head.offset, expected: 0) }
      return try UploadWriter(
        file, head.target.kind, offset: head.offset, limit: limit, digest: digest, hashesContent: head.contentSHA256 != nil)
    }
  }

  // MARK: The body

  private func write(_ body: RequestBody, to writer: UploadWriter, _ upload: Upload, _ claim: UploadDesk.Claim) async throws {
    var chunk = ByteBuffer()
    chunk.reserveCapacity(Self.chunk + (64 << 10))
    var parts = body.makeAsyncIterator()
    while true {
      let part: ByteBuffer?
      do {
        part = try await parts.next()
      } catch {
        try await append(chunk, to: writer, claim)
        throw UploadInterrupted()
      }
      guard var part else { break }
      chunk.writeBuffer(&part)
      guard chunk.readableBytes >= Self.chunk else { continue }
      try await append(chunk, to: writer, claim)
      chunk.clear()
      if writer.unsynced >= Self.stretch {
        let size = try await files.run { try writer.sync() }
        try await repository.note(received: size, of: upload, total: nil, sha256: nil, now: Date())
      }
    }
    try await append(chunk, to: writer, claim)
    if Task.isCancelled { throw UploadInterrupted() }
  }

  private func append(_ chunk: ByteBuffer, to writer: UploadWriter, _ claim: UploadDesk.Claim) async throws {
    guard chunk.readableBytes > 0 else { return }
    let files = files
    if writer.checksLines {
      try await desk.checking.run { try await files.run { try writer.append(chunk) } }
    } else {
      try await files.run { try writer.append(chunk) }
    }
    claim.took(chunk.readableBytes)
  }

  // MARK: After the body

  private func end(_ upload: Upload, _ head: UploadRequest, _ writer: UploadWriter) async throws -> Outcome {
    if let length = head.length, writer.size != head.offset + length {
      throw UploadRejection(.invalidContentRange("has \(length) bytes, \(writer.size - head.offset) came"), isOfBody: true)
    }
    if let promised = head.contentSHA256, let found = writer.contentSHA256, promised != found {
      throw UploadRejection(.digestMismatch(of: "the body", expected: promised, found: found), isOfBody: true)
    }
    guard head.isLast else { return .part(received: try await keep(upload, head, writer)) }
    let publication = try await files.run { try writer.finish() }
    if let promised = head.sha256 ?? upload.sha256, promised != publication.sha256 {
      throw UploadRejection(.digestMismatch(of: "the file", expected: promised, found: publication.sha256), isOfBody: false)
    }
    let folder = folder
    try await repository.preparePublication(publication, of: upload)
    try await files.run { try folder.publish(upload) }
    let (file, isNew) = try await repository.publish(upload, publication, now: Date())
    return .whole(file, isNew: isNew)
  }

  /// Decides what stays of an upload that didn't end well.
  private func close(_ upload: Upload, _ head: UploadRequest, _ writer: UploadWriter, after error: any Error) async throws -> Never {
    switch error {
    case let rejection as UploadRejection where rejection.isOfBody && head.offset > 0:
      try await files.run { try writer.rewind() }
      _ = try await keep(upload, head, writer)
      throw rejection.problem
    case let rejection as UploadRejection:
      await abandon(upload)
      throw rejection.problem
    case let fault as DiskFault where fault.isFull || fault.problem?.status == 409:
      // What came would keep the disk full.
      await abandon(upload)
    case is Problem: await abandon(upload)
    default: _ = try await keep(upload, head, writer)
    }
    guard error is UploadInterrupted else { throw error }
    throw Problem(
      .uploadUnfinished, status: Task.isShuttingDownGracefully ? 503 : 400, title: "The upload was cut off",
      detail: "\(writer.size) bytes of \(head.target) have come; go on from there with Content-Range")
  }

  /// Makes what came durable; nothing stays of nothing.
  private func keep(_ upload: Upload, _ head: UploadRequest, _ writer: UploadWriter) async throws -> Int {
    guard writer.size > 0 else {
      await abandon(upload)
      return 0
    }
    let size = try await files.run { try writer.sync() }
    desk.keep(writer.digest, size: size, of: upload.id)
    try await shielded { try await repository.note(received: size, of: upload, total: head.total, sha256: head.sha256, now: Date()) }
    return size
  }

  private func abandon(_ upload: Upload) async {
    try? await shielded { try await repository.abandon(upload) }
    await removeFile(of: upload.id)
  }

  private func removeFile(of id: String) async {
    let folder = folder
    desk.keep(nil, size: 0, of: id)
    try? await files.run { try folder.removeUnfinished(id) }
  }

  /// Runs `body` to its end, also in a task that was cancelled.
  private func shielded(_ body: @escaping @Sendable () async throws -> Void) async throws { try await Task { try await body() }.value }
}

/// The end of a body that didn't come.
struct UploadInterrupted: Error {}

/// Bytes that can't be taken: those of one body, or the whole file with all that came before.
struct UploadRejection: Error {
  let problem: Problem
  let isOfBody: Bool

  init(_ problem: Problem, isOfBody: Bool) { (self.problem, self.isOfBody) = (problem, isOfBody) }
}

extension Refusal {
  /// - Parameter expected: How many bytes there are.
  static func wrongOffset(_ offset: Int, expected: Int) -> Refusal {
    Refusal(
      Problem(
        .uploadOffset, status: 409, title: "The upload isn't so far",
        detail: "the body begins with byte \(offset) of the file, of which \(expected) have come; go on from there"),
      headers: [.uploadOffset: "\(expected)"])
  }
}

extension Problem {
  static func otherFile(_ difference: String) -> Problem {
    Problem(
      .conflict, status: 409, title: "The unfinished upload is of another file",
      detail: "the file whose first bytes have come \(difference); begin anew with byte 0, or delete it")
  }
}

extension HTTPField.Name {
  /// As in draft-ietf-httpbis-resumable-upload.
  static let uploadOffset = HTTPField.Name("Upload-Offset") ?? .contentRange
  static let uploadLength = HTTPField.Name("Upload-Length") ?? .contentRange
  static let uploadComplete = HTTPField.Name("Upload-Complete") ?? .contentRange
}
