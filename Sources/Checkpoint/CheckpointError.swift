import Foundation

/// What is wrong with a checkpoint's files.
public enum CheckpointError: Error, Hashable, Sendable, CustomStringConvertible {
  case cannotRead(file: String, reason: String)
  case cannotWrite(file: String, reason: String)
  case diskFull(file: String)
  /// The process has no descriptor left.
  case tooManyOpenFiles(file: String)
  case tooShort(file: String, bytes: Int)
  /// Longer than the file, or than the format allows.
  case headerTooLong(file: String, headerBytes: UInt64, fileBytes: Int)
  case invalidHeader(file: String, reason: String)
  case invalidTensor(file: String, tensor: String, reason: String)
  case overlap(file: String, tensor: String, other: String)
  /// A hole or trailing bytes; the range counts from the data's start.
  case unusedBytes(file: String, range: Range<Int>)
  case noWeights(folder: String)
  case invalidIndex(reason: String)
  case missingShard(file: String, tensors: Int)
  case missingTensor(String)
  case missingFromShard(tensor: String, file: String)
  case doubledTensor(String, files: [String])
  case notFloatingPoint(tensor: String, type: ScalarType)
  /// A writer was given something else than it was told.
  case wrongTensor(expected: String?, found: String)
  case wrongByteCount(tensor: String, expected: Int, found: Int)

  private static let again = "the file is damaged or incomplete; download it again"

  public var description: String {
    switch self {
    case .cannotRead(let file, let reason): "\(file) can't be read: \(reason)"
    case .cannotWrite(let file, let reason): "\(file) can't be written: \(reason)"
    case .diskFull(let file): "\(file) can't be written: the disk is full"
    case .tooManyOpenFiles(let file): "\(file) can't be opened: the process has too many files open"
    case .tooShort(let file, let bytes):
      "\(file) has \(bytes) bytes, too few for a safetensors header; \(Self.again)"
    case .headerTooLong(let file, let headerBytes, let fileBytes):
      headerBytes > SafetensorsHeader.lengthLimit
        ? "\(file) announces a header of \(headerBytes) bytes, of which safetensors allows \(SafetensorsHeader.lengthLimit); \(Self.again)"
        : "\(file) announces a header of \(headerBytes) bytes, but has \(fileBytes) bytes in all; \(Self.again)"
    case .invalidHeader(let file, let reason): "\(file): the safetensors header is \(reason); \(Self.again)"
    case .invalidTensor(let file, let tensor, let reason): "\(file): tensor \(Self.shown(tensor)) \(reason); \(Self.again)"
    case .overlap(let file, let tensor, let other):
      "\(file): tensors \(Self.shown(other)) and \(Self.shown(tensor)) share bytes; \(Self.again)"
    case .unusedBytes(let file, let range):
      "\(file): bytes \(range.lowerBound) to \(range.upperBound) of the data belong to no tensor; \(Self.again)"
    case .noWeights(let folder):
      "\(folder) holds neither model.safetensors nor model.safetensors.index.json; convert the weights to safetensors"
    case .invalidIndex(let reason): "model.safetensors.index.json \(reason); download it again"
    case .missingShard(let file, let tensors):
      "the shard \(file), which should hold \(tensors) tensors, isn't there; the download is incomplete"
    case .missingTensor(let tensor):
      "the checkpoint has no tensor \(Self.shown(tensor)); config.json describes another model, or a file is missing"
    case .missingFromShard(let tensor, let file):
      "the index says that \(file) holds tensor \(Self.shown(tensor)), which it doesn't; index and shards are of different versions"
    case .doubledTensor(let tensor, let files):
      "tensor \(Self.shown(tensor)) is in \(files.joined(separator: " and in ")); download these files and the index again"
    case .notFloatingPoint(let tensor, let type):
      "tensor \(Self.shown(tensor)) has type \(type.rawValue); weights are read from and written as F32, F16 and BF16"
    case .wrongTensor(let expected, let found):
      "tensor \(Self.shown(found)) was written where \(expected.map(Self.shown) ?? "the end of the file") was due"
    case .wrongByteCount(let tensor, let expected, let found):
      "tensor \(Self.shown(tensor)) has \(expected) bytes, \(found) were written"
    }
  }

  /// A name from a file, at a length fit for a message.
  private static func shown(_ name: String) -> String {
    name.utf8.count <= 200 ? name : String(String.UnicodeScalarView(name.unicodeScalars.prefix(200))) + "…"
  }
}

extension CheckpointError {
  /// Nothing is known of the file's contents.
  public var isOfReading: Bool {
    switch self {
    case .cannotRead, .tooManyOpenFiles: true
    default: false
    }
  }

  /// - Parameter error: Of a call that opens or writes `file`.
  static func writing(_ file: URL, _ error: any Error) -> CheckpointError {
    writing(file, error.posixCode) ?? .cannotWrite(file: file.lastPathComponent, reason: error.reason)
  }

  /// The same for a system call that has set `errno`.
  package static func writing(_ file: URL) -> CheckpointError {
    let code = errno
    return writing(file, POSIXErrorCode(rawValue: code))
      ?? .cannotWrite(file: file.lastPathComponent, reason: String(cString: strerror(code)))
  }

  private static func writing(_ file: URL, _ code: POSIXErrorCode?) -> CheckpointError? {
    switch code {
    case .ENOSPC, .EDQUOT: .diskFull(file: file.lastPathComponent)
    case .EMFILE, .ENFILE: .tooManyOpenFiles(file: file.lastPathComponent)
    default: nil
    }
  }

  /// For a system call that opens or maps `file` and has set `errno`.
  static func reading(_ file: URL) -> CheckpointError {
    let code = errno
    if code == EMFILE || code == ENFILE { return .tooManyOpenFiles(file: file.lastPathComponent) }
    return .cannotRead(file: file.lastPathComponent, reason: String(cString: strerror(code)))
  }
}

extension Error {
  /// What the system said; nil where the error isn't the system's.
  public var posixCode: POSIXErrorCode? {
    if let error = self as? POSIXError { return error.code }
    let error = self as NSError
    if error.domain == NSCocoaErrorDomain, error.code == CocoaError.fileWriteOutOfSpace.rawValue { return .ENOSPC }
    if error.domain == NSPOSIXErrorDomain { return POSIXErrorCode(rawValue: Int32(clamping: error.code)) }
    return (error.userInfo[NSUnderlyingErrorKey] as? any Error)?.posixCode
  }

  /// The system's words, for those of Foundation are mostly "The operation could not be completed".
  public var reason: String { posixCode.map { String(cString: strerror($0.rawValue)) } ?? localizedDescription }
}
