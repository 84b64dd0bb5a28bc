package v1alpha1_test

var scalerConfigCases = map[string]validationCase{
	"the least":                           {path: "spec.config.host", value: `redis`},
	"host empty":                          {path: "spec.config.host", value: `""`, want: `spec.config.host: Invalid value: "": host must be a host name or an IP address, without scheme, user and port; those have fields of their own`},
	"host absent":                         {path: "spec.config.host", want: `spec.config.host: Required value`},
	"host an IPv4 address":                {path: "spec.config.host", value: `10.0.0.1`},
	"host an IPv6 address":                {path: "spec.config.host", value: `"fd00::1"`},
	"host with a port":                    {path: "spec.config.host", value: `redis:6379`, want: `spec.config.host: Invalid value: "redis:6379": host must be a host name or an IP address, without scheme, user and port; those have fields of their own`},
	"host with hexadecimal name and port": {path: "spec.config.host", value: `cafe:6379`, want: `spec.config.host: Invalid value: "cafe:6379": host must be a host name or an IP address, without scheme, user and port; those have fields of their own`},
	"host a URL":                          {path: "spec.config.host", value: `redis://redis`, want: `spec.config.host: Invalid value: "redis://redis": host must be a host name or an IP address, without scheme, user and port; those have fields of their own`},
	"host with spaces":                    {path: "spec.config.host", value: `"my redis"`, want: `spec.config.host: Invalid value: "my redis": host must be a host name or an IP address, without scheme, user and port; those have fields of their own`},
	"port a number":                       {path: "spec.config.port", value: `6379`},
	"port a string":                       {path: "spec.config.port", value: `"6379"`},
	"port the highest":                    {path: "spec.config.port", value: `"65535"`},
	"port zero":                           {path: "spec.config.port", value: `0`, want: `spec.config.port: Invalid value: 0: port must be a number from 1 to 65535, such as 6379 or "6379"`},
	"port a zero string":                  {path: "spec.config.port", value: `"0"`, want: `spec.config.port: Invalid value: "0": port must be a number from 1 to 65535, such as 6379 or "6379"`},
	"port negative":                       {path: "spec.config.port", value: `-1`, want: `spec.config.port: Invalid value: -1: port must be a number from 1 to 65535, such as 6379 or "6379"`},
	"port a word":                         {path: "spec.config.port", value: `"abc"`, want: `spec.config.port: Invalid value: "abc": port must be a number from 1 to 65535, such as 6379 or "6379"`},
	"port empty":                          {path: "spec.config.port", value: `""`, want: `spec.config.port: Invalid value: "": port must be a number from 1 to 65535, such as 6379 or "6379"`},
	"port a string too high":              {path: "spec.config.port", value: `"99999"`, want: `spec.config.port: Invalid value: "99999": port must be a number from 1 to 65535, such as 6379 or "6379"`},
	"port a number too high":              {path: "spec.config.port", value: `70000`, want: `spec.config.port: Invalid value: 70000: port must be a number from 1 to 65535, such as 6379 or "6379"`},
	"port a fraction":                     {path: "spec.config.port", value: `6379.5`, want: `spec.config.port: Invalid value: "number": spec.config.port in body must be of type integer,string: "number", <nil>: Invalid value: "": "spec.config.port" must validate at least one schema (anyOf), spec.config.port: Invalid value: "number": spec.config.port in body must be of type integer: "number", <nil>: Invalid value: "": Checked value must be of type integer (default format) in spec.config.port`},
	"password in place":                   {path: "spec.config.password", value: `{value: hush}`},
	"password of a Secret":                {path: "spec.config.password", value: `{secret: {name: s, key: k}}`},
	"password of both":                    {path: "spec.config.password", value: `{value: hush, secret: {name: s, key: k}}`, want: `spec.config.password: Invalid value: password must have exactly one of value and secret`},
	"password of neither":                 {path: "spec.config.password", value: `{}`, want: `spec.config.password: Invalid value: password must have exactly one of value and secret`},
	"password empty":                      {path: "spec.config.password", value: `{value: ""}`, want: `spec.config.password.value: Invalid value: "": spec.config.password.value in body should be at least 1 chars long`},
	"password a plain string":             {path: "spec.config.password", value: `hush`, want: `spec.config.password: Invalid value: "string": spec.config.password in body must be of type object: "string"`},
	"password without a key":              {path: "spec.config.password", value: `{secret: {name: s}}`, want: `spec.config.password.secret.key: Required value`},
	"password with empty name":            {path: "spec.config.password", value: `{secret: {name: "", key: k}}`, want: `spec.config.password.secret.name: Invalid value: "": spec.config.password.secret.name in body should be at least 1 chars long`},
	"database negative":                   {path: "spec.config.database", value: `-1`, want: `spec.config.database: Invalid value: -1: spec.config.database in body should be greater than or equal to 0`},
	"TLS with defaults":                   {path: "spec.config.tls", value: `{}`},
	"type unknown":                        {path: "spec.type", value: `kafka`, want: `spec.type: Unsupported value: "kafka": supported values: "beanstalkd", "mysql", "nats", "postgres", "rabbitmq", "redis"`},
	"type empty":                          {path: "spec.type", value: `""`, want: `spec.type: Unsupported value: "": supported values: "beanstalkd", "mysql", "nats", "postgres", "rabbitmq", "redis"`},
	"type absent":                         {path: "spec.type", want: `spec.type: Required value`},
	"another type's block":                {path: "spec.config.rabbitmq", value: `{vhost: orders}`, want: `spec.config: Invalid value: config.rabbitmq is for the type rabbitmq; remove it, or set type to rabbitmq`},
	"a layout":                            {path: "spec.config.redis", value: `{layout: Stream}`},
	"the block of Redis, empty":           {path: "spec.config.redis", value: `{}`},
	"a layout that nobody knows":          {path: "spec.config.redis.layout", value: `stream`, want: `spec.config.redis.layout: Unsupported value: "stream": supported values: "List", "Stream", "SortedSet"`},
	"what is due of a sorted set":         {path: "spec.config.redis", value: `{layout: SortedSet, due: Milliseconds}`},
	"what is due in another unit":         {path: "spec.config.redis", value: `{layout: SortedSet, due: Days}`, want: `spec.config.redis.due: Unsupported value: "Days": supported values: "Always", "Seconds", "Milliseconds"`},
	"what is due of a stream":             {path: "spec.config.redis", value: `{layout: Stream, due: Always}`, want: notOfSortedSets},
	"what is due of a list":               {path: "spec.config.redis", value: `{due: Always}`, want: notOfSortedSets},
	"a Sentinel":                          {path: "spec.config.redis", value: `{sentinel: {master: mymaster, username: u, password: {secret: {name: s, key: k}}}, layout: Stream}`},
	"a Sentinel without a master":         {path: "spec.config.redis", value: `{sentinel: {}}`, want: `spec.config.redis.sentinel.master: Required value`},
	"a master that cannot be":             {path: "spec.config.redis", value: `{sentinel: {master: "my master"}}`, want: `spec.config.redis.sentinel.master: Invalid value: "my master": spec.config.redis.sentinel.master in body should match '^[A-Za-z0-9._-]+$'`},
	"a Sentinel with two passwords":       {path: "spec.config.redis", value: `{sentinel: {master: m, password: {value: hush, secret: {name: s, key: k}}}}`, want: `spec.config.redis.sentinel.password: Invalid value: password must have exactly one of value and secret`},
	"a cluster":                           {path: "spec.config.redis", value: `{cluster: true, layout: SortedSet}`},
	"a cluster with Sentinels":            {path: "spec.config.redis", value: `{cluster: true, sentinel: {master: m}}`, want: `spec.config.redis: Invalid value: redis has sentinel and cluster, and a Redis Cluster has no Sentinels; remove one`},
	"Sentinels and no cluster":            {path: "spec.config.redis", value: `{cluster: false, sentinel: {master: m}}`},
	"a cluster with a database":           {path: "spec.config", value: `{host: redis, database: 1, redis: {cluster: true}}`, want: `spec.config.database: Invalid value: a Redis Cluster has one database, number 0; remove database, or redis.cluster`},
	"a cluster with the first database":   {path: "spec.config", value: `{host: redis, database: 0, redis: {cluster: true}}`},
	"config absent":                       {path: "spec.config", want: `spec.config: Required value`},
}

// What Beanstalkd has not, its ScalerConfig does not take.
var beanstalkdConfigCases = map[string]validationCase{
	"the least":           {path: "spec.config.host", value: `beanstalkd`},
	"a port":              {path: "spec.config.port", value: `11300`},
	"TLS, by a proxy":     {path: "spec.config.tls", value: `{}`},
	"a username":          {path: "spec.config.username", value: `u`, want: notOfBeanstalkd},
	"an empty username":   {path: "spec.config.username", value: `""`, want: notOfBeanstalkd},
	"a password":          {path: "spec.config.password", value: `{secret: {name: s, key: k}}`, want: notOfBeanstalkd},
	"a password in place": {path: "spec.config.password", value: `{value: hush}`, want: notOfBeanstalkd},
	"a database":          {path: "spec.config.database", value: `1`, want: notOfBeanstalkd},
	"a block of Redis":    {path: "spec.config.redis", value: `{}`, want: ofRedisAlone + ", " + notOfBeanstalkd},
	"the first database":  {path: "spec.config.database", value: `0`, want: notOfBeanstalkd},
}

const (
	notOfSortedSets = `spec.config.redis.due: Invalid value: redis.due is of sorted sets; set redis.layout to SortedSet, or remove redis.due`
	ofRedisAlone    = `spec.config: Invalid value: the block config.redis belongs to the type redis; remove it, or correct the type`
)

const notOfBeanstalkd = `spec.config: Invalid value: beanstalkd has no users, no passwords and no databases; with this type, config takes host, port and tls`

// A ScalerConfig of RabbitMQ has a block of its own, and no database.
var rabbitMQConfigCases = map[string]validationCase{
	"the least":                   {path: "spec.config.host", value: `rabbitmq`},
	"a username":                  {path: "spec.config.username", value: `u`},
	"a password":                  {path: "spec.config.password", value: `{secret: {name: s, key: k}}`},
	"workers of their own":        {path: "spec.config.worker", value: `{username: w}`},
	"an empty block":              {path: "spec.config.rabbitmq", value: `{}`},
	"a whole block":               {path: "spec.config.rabbitmq", value: `{vhost: "a/b %", managementPort: 15672, statisticsInterval: 30s}`},
	"a virtual host without name": {path: "spec.config.rabbitmq.vhost", value: `""`, want: `spec.config.rabbitmq.vhost: Invalid value: "": spec.config.rabbitmq.vhost in body should be at least 1 chars long`},
	"no port":                     {path: "spec.config.rabbitmq.managementPort", value: `0`, want: `spec.config.rabbitmq.managementPort: Invalid value: 0: spec.config.rabbitmq.managementPort in body should be greater than or equal to 1`},
	"a port that is too high":     {path: "spec.config.rabbitmq.managementPort", value: `65536`, want: `spec.config.rabbitmq.managementPort: Invalid value: 65536: spec.config.rabbitmq.managementPort in body should be less than or equal to 65535`},
	"statistics that are too new": {path: "spec.config.rabbitmq.statisticsInterval", value: `999ms`, want: `spec.config.rabbitmq.statisticsInterval: Invalid value: "999ms": statisticsInterval must be a duration from 1s to 10m, such as 5s`},
	"statistics that are too old": {path: "spec.config.rabbitmq.statisticsInterval", value: `11m`, want: `spec.config.rabbitmq.statisticsInterval: Invalid value: "11m": statisticsInterval must be a duration from 1s to 10m, such as 5s`},
	"statistics without a unit":   {path: "spec.config.rabbitmq.statisticsInterval", value: `"5"`, want: `spec.config.rabbitmq.statisticsInterval: Invalid value: "5": statisticsInterval must be a duration from 1s to 10m, such as 5s`},
	"a database":                  {path: "spec.config.database", value: `1`, want: `spec.config: Invalid value: rabbitmq has virtual hosts and no databases; with this type, config takes host, port, username, password, worker, tls and rabbitmq`},
}
