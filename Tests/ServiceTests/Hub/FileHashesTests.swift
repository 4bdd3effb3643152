import Checkpoint
import Dispatch
import Foundation
import JobModel
import JobRunner
import Service
import Testing

@Suite struct FileHashesTests {
  private static let content = Data("hello world\n".utf8)
  private static let sha256 = "a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447"
  private static let oid = "3b18e512dba79e4c8300dd08aeb37f8e728b8dad"

  private let folder: TemporaryFolder
  private let file: URL
  private let identity: FileIdentity
  private let pool = WorkerPool(label: "test")

  init() throws {
    folder = try TemporaryFolder()
    file = try folder.write("file.txt", Self.content)
    identity = try #require(FileIdentity(of: file))
  }

  /// Counts how often a file is opened, and may hold its opening back.
  private final class Opening: Sendable {
    private let gate = DispatchSemaphore(value: 0)
    private let opened = DispatchSemaphore(value: 0)
    let isHeld: Bool

    init(isHeld: Bool) { self.isHeld = isHeld }

    func release() { gate.signal() }

    /// Whether it was opened once more than it was asked for.
    var wasOpened: Bool { opened.wait(timeout: .now()) == .success }

    func open(_ file: URL) throws -> FileHandle? {
      opened.signal()
      if isHeld { gate.wait() }
      return try FileHandle(forReadingFrom: file)
    }
  }

  private func source(_ opening: Opening, _ identity: FileIdentity? = nil) -> FileHashes.Source {
    let file = file
    return .init(name: "file.txt", identity: identity ?? self.identity) { try opening.open(file) }
  }

  @Test func aFileIsHashedOnceHoweverManyAsk() async throws {
    let (hashes, opening) = (FileHashes(files: pool), Opening(isHeld: false))
    try await withThrowingTaskGroup(of: FileHashes.Hashes?.self) { group in
      for _ in 0..<50 { group.addTask { try await hashes.hashes(of: [source(opening)]).first } }
      for try await found in group {
        #expect(found?.sha256 == Self.sha256)
        #expect(found?.oid == Self.oid)
      }
    }
    #expect(opening.wasOpened)
    #expect(!opening.wasOpened, "hashed twice")
  }

  @Test func whoeverCannotWaitIsToldToComeBack() async throws {
    let (hashes, opening) = (FileHashes(files: pool, patience: .milliseconds(5)), Opening(isHeld: true))
    let refusal = try await #require(throws: Refusal.self) { try await hashes.hashes(of: [source(opening)]) }
    #expect(refusal.problem.status == 503)
    #expect(refusal.problem.detail.contains("file.txt"))
    opening.release()
    var found: [FileHashes.Hashes] = []
    for _ in 0..<10_000 where found.isEmpty { found = (try? await hashes.hashes(of: [source(opening)])) ?? [] }
    #expect(found.map(\.sha256) == [Self.sha256])
  }

  /// Two are held, which are all that are hashed at once of their size; a large file is another matter.
  @Test func smallFilesDoNotWaitForLargeOnes() async throws {
    let large = folder.url.appending(component: "large.bin")
    #expect(FileManager.default.createFile(atPath: large.path, contents: nil))
    try FileHandle(forWritingTo: large).truncate(atOffset: 11 << 20)
    let identity = try #require(FileIdentity(of: large))
    let (hashes, held) = (FileHashes(files: pool, patience: .milliseconds(5)), Opening(isHeld: true))
    let names = (0..<3).map { "large-\($0).bin" }
    for name in names { try FileManager.default.copyItem(at: large, to: folder.url.appending(component: name)) }
    #expect(identity.size == 11 << 20)
    for name in names {
      let url = folder.url.appending(component: name)
      let source = FileHashes.Source(name: name, identity: try #require(FileIdentity(of: url))) { try held.open(url) }
      await #expect(throws: Refusal.self) { try await hashes.hashes(of: [source]) }
    }
    var found: [FileHashes.Hashes] = []
    for _ in 0..<10_000 where found.isEmpty { found = (try? await hashes.hashes(of: [source(Opening(isHeld: false))])) ?? [] }
    #expect(found.map(\.oid) == [Self.oid])
    for _ in names { held.release() }
  }

  @Test func hashesOfLargeFilesAreKept() async throws {
    let (large, storage) = (folder.url.appending(component: "large.bin"), folder.url.appending(component: "hashes.json"))
    try Data(repeating: 7, count: 11 << 20).write(to: large)
    let identity = try #require(FileIdentity(of: large))
    var hashes: [String] = []
    for opening in [Opening(isHeld: false), Opening(isHeld: false)] {
      let source = FileHashes.Source(name: "large.bin", identity: identity) { try opening.open(large) }
      hashes += try await FileHashes(files: pool, storage: storage, patience: .seconds(60)).hashes(of: [source]).map(\.sha256)
      #expect(opening.wasOpened == (hashes.count == 1))
    }
    #expect(hashes == Array(repeating: FakeEngine.sha256(Data(repeating: 7, count: 11 << 20)), count: 2))
    // It says nothing of another version of the file, and what isn't JSON says nothing at all.
    try Data(repeating: 8, count: 11 << 20).write(to: large)
    let next = try #require(FileIdentity(of: large))
    for content in [nil, "garbage", "[]", "{\"a\": 1}"] {
      if let content { try Data(content.utf8).write(to: storage) }
      let source = FileHashes.Source(name: "large.bin", identity: next) { try FileHandle(forReadingFrom: large) }
      let found = try await FileHashes(files: pool, storage: storage, patience: .seconds(60)).hashes(of: [source])
      #expect(found.map(\.sha256) == [FakeEngine.sha256(Data(repeating: 8, count: 11 << 20))], "\(content ?? "as it was")")
    }
  }

  @Test func aFileThatWasWrittenSinceHasNoHash() async throws {
    let hashes = FileHashes(files: pool)
    try Data("something else\n".utf8).write(to: file)
    await #expect(throws: Problem.self) { try await hashes.hashes(of: [source(Opening(isHeld: false))]) }
    let now = try #require(FileIdentity(of: file))
    #expect(try await hashes.hashes(of: [source(Opening(isHeld: false), now)]).first?.sha256 != Self.sha256)
  }
}
