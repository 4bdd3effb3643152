import Foundation
import Glibc

/// Ranks that are processes which MPI started, on one machine or several.
///
/// MPI isn't linked: `libgptqdmpi.so` is loaded when the first of these is made, so that the program runs without it.
public final class MessagePassing: RankGroup {
  public let rank: Int
  public let count: Int
  private let library: MPILibrary

  /// Starts MPI. A process can do so once.
  ///
  /// - Throws: `RankError`.
  public convenience init() throws { try self.init(library: "libgptqdmpi.so") }

  package init(library name: String) throws {
    library = try MPILibrary(name)
    try library.check(library.start(), "the start of MPI")
    (rank, count) = (Int(library.rank()), Int(library.count()))
  }

  public func exchange(_ sent: [UnsafeRawBufferPointer], into received: [UnsafeMutableRawBufferPointer]) throws {
    precondition(sent.count == count && received.count == count)
    let status = library.exchange(
      sent.map(\.baseAddress), sent.map(\.count), received.map(\.baseAddress), received.map(\.count))
    try library.check(status, "an exchange with the other ranks")
  }

  public func abandon(_ reason: String) { library.abandon(reason) }

  /// Ends MPI, when all ranks do so.
  ///
  /// - Throws: `RankError`.
  public func finish() throws { try library.check(library.finish(), "the end of MPI") }

  /// Ends the processes of all ranks, this one too, with an exit status: the last thing that is done after a failure.
  ///
  /// - Parameter patience: How long another rank, such as one that has to record the failure, may take to do so first.
  public func endAll(status: Int32, after patience: Duration = .zero) -> Never {
    Thread.sleep(forTimeInterval: patience / .seconds(1))
    library.endAll(status)
    exit(status)
  }
}

/// The functions of `libgptqdmpi.so` (Sources/CMPIShim).
private struct MPILibrary: Sendable {
  private static let abandonedStatus: Int32 = -1

  let start: @convention(c) () -> Int32
  let rank: @convention(c) () -> Int32
  let count: @convention(c) () -> Int32
  let finish: @convention(c) () -> Int32
  let endAll: @convention(c) (Int32) -> Void
  let abandon: @convention(c) (UnsafePointer<CChar>) -> Void
  let exchange:
    @convention(c) (
      UnsafePointer<UnsafeRawPointer?>, UnsafePointer<Int>, UnsafePointer<UnsafeMutableRawPointer?>, UnsafePointer<Int>
    ) -> Int32
  private let abandonment: @convention(c) (UnsafeMutablePointer<Int32>) -> UnsafePointer<CChar>
  private let message: @convention(c) (Int32, UnsafeMutablePointer<CChar>, Int32) -> Void

  /// - Parameter name: Of the file beside this program, or in the library path.
  init(_ name: String) throws {
    let beside = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().appending(component: name)
    // MPI's own plugins look for its symbols among the global ones.
    let handle = dlopen(beside.path, RTLD_NOW | RTLD_GLOBAL) ?? dlopen(name, RTLD_NOW | RTLD_GLOBAL)
    guard let handle else { throw RankError.noMessagePassing(reason: String(cString: dlerror())) }
    func function<Function>(_ name: String, as type: Function.Type) throws -> Function {
      guard let address = dlsym(handle, name) else { throw RankError.noMessagePassing(reason: "it has no function \(name)") }
      return unsafeBitCast(address, to: type)
    }
    start = try function("gptqd_mpi_start", as: type(of: start))
    rank = try function("gptqd_mpi_rank", as: type(of: rank))
    count = try function("gptqd_mpi_count", as: type(of: count))
    finish = try function("gptqd_mpi_finish", as: type(of: finish))
    endAll = try function("gptqd_mpi_end_all", as: type(of: endAll))
    abandon = try function("gptqd_mpi_abandon", as: type(of: abandon))
    exchange = try function("gptqd_mpi_exchange", as: type(of: exchange))
    abandonment = try function("gptqd_mpi_abandonment", as: type(of: abandonment))
    message = try function("gptqd_mpi_message", as: type(of: message))
  }

  /// - Parameter status: As a function returned it.
  func check(_ status: Int32, _ operation: String) throws {
    guard status != 0 else { return }
    if status == Self.abandonedStatus {
      var rank: Int32 = 0
      let reason = String(cString: abandonment(&rank))
      throw RankError.abandoned(rank: Int(rank), reason: reason)
    }
    var text = [CChar](repeating: 0, count: 1024)
    message(status, &text, Int32(text.count))
    throw RankError.messagePassing(
      operation: operation, reason: String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
  }
}
