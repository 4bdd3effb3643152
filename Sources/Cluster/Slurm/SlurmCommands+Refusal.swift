extension SlurmCommands.Failure {
  /// Slurm can't be asked; what was asked may have happened.
  var isOfConnection: Bool {
    switch self {
    case .notStarted, .late: true
    case .refused(_, _, let message):
      [
        "Unable to contact slurm controller", "Socket timed out", "Connection refused", "Connection timed out",
        "Zero Bytes were transmitted",
        "standby", "Communication connection failure", "Unable to establish", "munge", "Protocol authentication error",
      ].contains(where: message.contains)
    }
  }

  /// What sbatch will never take.
  var isFinal: Bool {
    guard case .refused(_, let status, let message) = self else { return false }
    return status == 255
      || [
        "nvalid partition", "Requested node configuration is not available", "Invalid feature", "Invalid license", "Invalid account",
        "Invalid qos", "Invalid generic resource", "time limit is invalid", "violates accounting/QOS policy", "ermission denied",
        "not permitted to use this partition", "More processors requested than permitted", "Unable to open file",
      ].contains(where: message.contains)
  }
}
