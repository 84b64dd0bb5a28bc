package worker

import (
	"fmt"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/worker/contract"
	"github.com/quickube/qscaler/worker/internal/locate"
	"github.com/quickube/qscaler/worker/redislist"
)

// locator finds the server that has a queue: the one at the address, the master that a Sentinel there names, or the node of
// the cluster of which one node is there.
func locator(getenv func(string) string, option rueidis.ClientOption, queue string) (locate.Locator, error) {
	address := option.InitAddress[0]
	master := getenv(contract.EnvRedisSentinelMaster)
	cluster, err := clustered(getenv)
	switch {
	case err != nil:
		return nil, err
	case master != "":
		return sentinel(getenv, option), nil
	case cluster && !redislist.InOneSlot(queue):
		return nil, scattered(queue)
	case cluster:
		return locate.NewCluster(redislist.Slot(queue), address, option), nil
	}
	return locate.Fixed(address), nil
}

// clustered reports whether the address is that of a node of a cluster, and checks the variables of Sentinel and Cluster.
func clustered(getenv func(string) string) (bool, error) {
	cluster, err := boolean(getenv, contract.EnvRedisCluster)
	if err != nil {
		return false, err
	}
	master := getenv(contract.EnvRedisSentinelMaster)
	if cluster && master != "" {
		return false, fmt.Errorf("%s is true and %s is %q; set one of them", contract.EnvRedisCluster, contract.EnvRedisSentinelMaster, master)
	}
	for _, name := range []string{contract.EnvRedisSentinelUsername, contract.EnvRedisSentinelPassword} {
		if getenv(name) != "" && master == "" {
			return false, fmt.Errorf("%s is set and %s is not; set the name of the master, or remove the first", name, contract.EnvRedisSentinelMaster)
		}
	}
	if database := getenv(contract.EnvBrokerDatabase); cluster && database != "" && database != "0" {
		return false, fmt.Errorf("%s is %q and %s is true; a Redis Cluster has the database 0 alone: remove the first",
			contract.EnvBrokerDatabase, database, contract.EnvRedisCluster)
	}
	return cluster, nil
}

// sentinel finds the master. The Sentinels are connected to as the servers are, but for their own login.
func sentinel(getenv func(string) string, server rueidis.ClientOption) locate.Locator {
	option := server
	option.SelectDB = 0
	option.Username, option.Password = getenv(contract.EnvRedisSentinelUsername), getenv(contract.EnvRedisSentinelPassword)
	return locate.NewSentinel(getenv(contract.EnvRedisSentinelMaster), server.InitAddress[0], option, server)
}

// scattered is the error for a queue whose keys a Redis Cluster has in several places.
func scattered(queue string) error {
	return fmt.Errorf("the queue %q has a } and no hash tag, so that a Redis Cluster has its keys in several slots; give it another name", queue)
}
