import Foundation
import Synchronization

/// A whole file mapped read-only; the descriptor is closed at once.
///
/// What is read beyond the end of a file that shrank since, or from a part that the disk can't give, is zero, and the mapping knows
/// of it; without that, the system would end the process (SIGBUS).
final class FileMapping: @unchecked Sendable {  // reason: the bytes never change through it
  let bytes: UnsafeRawBufferPointer
  private let file: URL
  private let guarded: Int?

  init(_ file: URL) throws(CheckpointError) {
    self.file = file
    let descriptor = open(file.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)  // a named pipe would wait for a writer
    guard descriptor >= 0 else { throw .reading(file) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .reading(file) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .cannotRead(file: file.lastPathComponent, reason: "it isn't a regular file") }
    let size = Int(status.st_size)
    guard size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      guarded = nil
      return
    }
    guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else { throw .reading(file) }
    bytes = UnsafeRawBufferPointer(start: base, count: size)
    guarded = MappingFaults.watch(bytes)
  }

  deinit {
    if let guarded { MappingFaults.forget(guarded) }
    if let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
  }

  /// - Throws: `CheckpointError.cannotRead` where a part of the file couldn't be read.
  func requireWhole() throws(CheckpointError) {
    if let guarded, MappingFaults.happened(in: guarded) { throw cutShort }
  }

  /// The same for what a system call was to read, which gets an error instead of zeros.
  func requireUncut() throws(CheckpointError) {
    guard let identity = FileIdentity(of: file), identity.size >= bytes.count else { throw cutShort }
  }

  private var cutShort: CheckpointError {
    .cannotRead(file: file.lastPathComponent, reason: "it was cut short or its disk failed while it was read; replace files by renaming")
  }

  func release(_ range: Range<Int>) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let start = (range.lowerBound + page - 1) / page * page
    let end = range.upperBound / page * page
    guard start < end, let base = bytes.baseAddress else { return }
    madvise(UnsafeMutableRawPointer(mutating: base + start), end - start, MADV_DONTNEED)
  }
}

/// The handler of SIGBUS, and the mappings that it knows.
///
/// It only loads and stores atomics and calls mmap, so that it may run at any moment on any thread.
private enum MappingFaults {
  private struct Slot: ~Copyable {
    /// First address; 0: free.
    let start = Atomic<UInt>(0)
    let end = Atomic<UInt>(0)
    let faults = Atomic<Int>(0)
  }

  /// More mappings at a time aren't watched.
  private static let capacity = 4096

  /// Made before the handler, so that this finds it made.
  nonisolated(unsafe) private static let slots: UnsafeMutablePointer<Slot> = {  // reason: its elements are atomics
    let slots = UnsafeMutablePointer<Slot>.allocate(capacity: capacity)
    for index in 0..<capacity { (slots + index).initialize(to: Slot()) }
    return slots
  }()

  private static let isInstalled: Bool = {
    _ = slots
    var action = sigaction()
    action.sa_flags = SA_SIGINFO
    action.__sigaction_handler.sa_sigaction = { _, info, _ in
      guard let address = info?.pointee._sifields._sigfault.si_addr, MappingFaults.mend(UInt(bitPattern: address)) else {
        // Not one of ours: the fault happens again, and ends the process.
        signal(SIGBUS, SIG_DFL)
        return
      }
    }
    return sigaction(SIGBUS, &action, nil) == 0
  }()

  /// - Returns: What `happened` and `forget` want; nil where nothing is watched.
  static func watch(_ bytes: UnsafeRawBufferPointer) -> Int? {
    guard isInstalled, let base = bytes.baseAddress else { return nil }
    let start = UInt(bitPattern: base)
    for index in 0..<capacity
    where slots[index].start.compareExchange(expected: 0, desired: start, ordering: .sequentiallyConsistent).exchanged {
      slots[index].faults.store(0, ordering: .sequentiallyConsistent)
      slots[index].end.store(start + UInt(bytes.count), ordering: .sequentiallyConsistent)
      return index
    }
    return nil
  }

  static func forget(_ slot: Int) {
    slots[slot].end.store(0, ordering: .sequentiallyConsistent)
    slots[slot].start.store(0, ordering: .sequentiallyConsistent)
  }

  static func happened(in slot: Int) -> Bool { slots[slot].faults.load(ordering: .sequentiallyConsistent) > 0 }

  /// Puts a page of zeros where a fault happened.
  ///
  /// - Returns: Whether the address is in a watched mapping.
  private static func mend(_ address: UInt) -> Bool {
    for index in 0..<capacity {
      let start = slots[index].start.load(ordering: .sequentiallyConsistent)
      guard start > 0, address >= start, address < slots[index].end.load(ordering: .sequentiallyConsistent) else { continue }
      slots[index].faults.add(1, ordering: .sequentiallyConsistent)
      let page = UInt(getpagesize())
      let mended = mmap(
        UnsafeMutableRawPointer(bitPattern: address / page * page), Int(page), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)
      return mended != MAP_FAILED
    }
    return false
  }
}
