package redis

// bounds is how much one reply may have, with all that is nested in it. The library needs up to 40 bytes for a value
// beside its text.
type bounds struct {
	// bytes are those on the wire.
	bytes int
	// values are the reply itself and its elements, also those that were announced and have not come.
	values int
}

// longestLine is the longest text of a status or an error: far longer than Redis makes them.
const longestLine = 1 << 10

// What a server may answer: far more than Redis does, and so little that hundreds of servers which all answer as much as
// they may leave the operator well below its memory limit. docs/security.md has the sums.
var (
	// ofOne is for a number, a status, an error or a short string.
	ofOne = bounds{bytes: 2 << 10, values: 1}
	// ofHello has the server's version and its modules.
	ofHello = bounds{bytes: 16 << 10, values: 512}
	// ofInfo is for a section of INFO, and ofSettings for what CONFIG GET has of one setting.
	ofInfo     = bounds{bytes: 16 << 10, values: 1}
	ofSettings = bounds{bytes: 2 << 10, values: 4}
	// ofStep is what one step of a script answers.
	ofStep = bounds{bytes: 2 << 10, values: 6}
	// ofScan is for the keys of one step of a walk, which may be more than were asked for.
	ofScan = bounds{bytes: 512 << 10, values: 8 << 10}
	// ofAddress is for the host and the port of a server.
	ofAddress = bounds{bytes: 1 << 10, values: 3}
	// ofNodes is for a line of each node of a cluster, and its slots.
	ofNodes = bounds{bytes: 320 << 10, values: 1}
	// ofPush is for a key, which the operator has asked for before.
	ofPush = bounds{bytes: 8 << 10, values: 64}
)

// ofExec bounds the answer to a transaction: a number, or a word of why not, for each command.
func ofExec(queued int) bounds {
	const each = 100
	return bounds{bytes: 4<<10 + each*queued, values: 1 + queued}
}

// ofNumbers bounds the answer to a script that answers no more numbers than it has arguments.
func ofNumbers(args int) bounds {
	const each = 24
	return bounds{bytes: ofOne.bytes + each*args, values: 1 + args}
}

// ofScript bounds the answer to a script: a step of one, or a number, or a word of why not, for each argument.
func ofScript(args int) bounds {
	b := ofExec(args)
	return bounds{bytes: max(ofStep.bytes, b.bytes), values: max(ofStep.values, b.values)}
}

// boundsOf are those of the answer to a command, by its name and how many arguments it has, the name included. Queued is how
// many commands came since MULTI.
func boundsOf(command string, args, queued int) bounds {
	switch command {
	case "EVALSHA":
		return ofNumbers(args)
	case "XINFO", "XPENDING":
		return ofScan
	case "SENTINEL":
		return ofAddress
	case "CLUSTER":
		return ofNodes
	case "HELLO":
		return ofHello
	case "INFO":
		return ofInfo
	case "CONFIG":
		return ofSettings
	case "EXEC":
		return ofExec(queued)
	case "SCAN":
		return ofScan
	case "EVAL":
		return ofScript(args)
	default:
		return ofOne
	}
}
