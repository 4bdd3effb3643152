import Cluster
import Foundation
import JobModel
import JobRunner
import JobStore
import Testing

@Suite struct AttemptFolderTests {
  private let worker = WorkerIdentity(host: "n1", process: 1, schedulerJob: nil, ranks: 1)

  @Test("Of many who want an attempt, one gets it")
  func oneOwner() async throws {
    let folder = try TemporaryFolder.make()
    defer { try? FileManager.default.removeItem(at: folder) }
    let owners = try await withThrowingTaskGroup(of: Bool.self) { group in
      for index in 0..<32 { group.addTask { try AttemptFolder(folder).claim(by: "\(index)") } }
      return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(owners == 1)
  }

  @Test("A worker that starts second, or behind a fence, does nothing")
  func secondWorker() throws {
    try TemporaryFolder.use { url in
      let folder = AttemptFolder(url)
      let specification = Samples.specification()
      try specification.write(to: folder)
      let session = try #require(try AttemptSession.begin(specification, in: folder, as: worker))
      #expect(try AttemptSession.begin(specification, in: folder, as: worker) == nil)
      try session.run { _ in .cancelled }
      #expect(try JournalTail(of: folder, from: 0).end == .outcome(.cancelled))
    }
    try TemporaryFolder.use { url in
      let folder = AttemptFolder(url)
      try Samples.specification().write(to: folder)
      try folder.raiseFence()
      #expect(try AttemptSession.begin(Samples.specification(), in: folder, as: worker) == nil)
      #expect(!folder.isStarted)
    }
  }

  @Test("A fence ends the work within a few seconds")
  func fence() throws {
    try TemporaryFolder.use { url in
      let folder = AttemptFolder(url)
      try Samples.specification().write(to: folder)
      let session = try #require(try AttemptSession.begin(Samples.specification(), in: folder, as: worker))
      Thread.detachNewThread { try? folder.raiseFence() }
      try session.run { session in
        let deadline = ContinuousClock.now + .seconds(30)
        while !session.cancellation.isCancelled, ContinuousClock.now < deadline { Thread.sleep(forTimeInterval: 0.01) }
        #expect(session.cancellation.reason == .cancelled)
        throw CancellationError()
      }
      #expect(try JournalTail(of: folder, from: 0).end == .outcome(.cancelled))
    }
  }

  @Test("A worker that is told to stop says why; one that fails says how")
  func ends() throws {
    func end(_ work: @escaping (AttemptSession) throws -> JobOutcome) throws -> AttemptEnd? {
      try TemporaryFolder.use { url in
        let folder = AttemptFolder(url)
        try Samples.specification().write(to: folder)
        try #require(try AttemptSession.begin(Samples.specification(), in: folder, as: worker)).run(work)
        return try JournalTail(of: folder, from: 0).end
      }
    }
    let stopped = try end { session in
      session.stop(because: "SIGTERM")
      throw CancellationError()
    }
    #expect(stopped == .stopped(reason: "SIGTERM"))
    let failure = Job.Failure(code: "c", detail: "d")
    #expect(try end { _ in throw failure } == .outcome(.failed(failure)))
    guard case .outcome(.failed(let unexpected)) = try end({ _ in throw POSIXError(.EIO) }) else {
      Issue.record("no failure")
      return
    }
    #expect(unexpected.code == "internal")
  }

  @Test("The pulse of a worker that lives changes")
  func pulse() throws {
    try TemporaryFolder.use { url in
      let folder = AttemptFolder(url)
      try Samples.specification().write(to: folder)
      let session = try #require(try AttemptSession.begin(Samples.specification(), in: folder, as: worker))
      try session.run { _ in
        var seen: Set<Data> = []
        let deadline = ContinuousClock.now + .seconds(30)
        while seen.count < 3, ContinuousClock.now < deadline {
          if let pulse = try? Data(contentsOf: folder.pulse), !pulse.isEmpty { seen.insert(pulse) }
          Thread.sleep(forTimeInterval: 0.05)
        }
        #expect(seen.count == 3)
        return .cancelled
      }
    }
  }

  @Test(
    "A specification that isn't there or isn't one is an error that names it",
    arguments: [nil, "", "{", "null", "{\"job\": 1}", String(repeating: "[", count: 1000)])
  func hostile(text: String?) throws {
    try TemporaryFolder.use { url in
      let folder = AttemptFolder(url)
      if let text { try Data(text.utf8).write(to: folder.specification) }
      let error = #expect(throws: AttemptError.self) { try AttemptSpecification(of: folder) }
      #expect(error.map { "\($0)" }?.contains(url.path) == true)
    }
  }
}

@Suite struct FolderMirrorTests {
  @Test("A folder gets the other's files, loses its own, and leaves out what is being written")
  func mirrors() throws {
    try TemporaryFolder.use { url in
      let (source, target) = (url.appending(component: "a"), url.appending(path: "b/c"))
      for folder in [source, target] { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }
      func write(_ text: String, _ file: URL) throws { try Data(text.utf8).write(to: file) }
      try write("1", source.appending(component: "same"))
      try write("new", source.appending(component: "changed"))
      try write("half", source.appending(component: "half.tmp"))
      try FileManager.default.createDirectory(at: source.appending(component: "rank-1"), withIntermediateDirectories: true)
      try write("inner", source.appending(path: "rank-1/hidden"))
      try write("old", target.appending(component: "changed"))
      try write("old", target.appending(component: "gone"))
      for _ in 0..<2 {
        try FolderMirror.mirror(source, at: target)
        #expect(try FileManager.default.contentsOfDirectory(atPath: target.path).sorted() == ["changed", "rank-1", "same"])
        #expect(try String(contentsOf: target.appending(path: "rank-1/hidden"), encoding: .utf8) == "inner")
        #expect(try String(contentsOf: target.appending(component: "changed"), encoding: .utf8) == "new")
      }
    }
  }
}
