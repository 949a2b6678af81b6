# SPDX-License-Identifier: Apache-2.0
# git: the porcelain that people use every day.
# timeout: 300
. "$(dirname "$0")/lib.sh"
need git
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@example.org
export GIT_AUTHOR_DATE="2020-01-01T00:00:00Z" GIT_COMMITTER_DATE="2020-01-01T00:00:00Z" GIT_CONFIG_NOSYSTEM=1
rm -f secret fifo loop
same bash -c '
set -e
git init -q -b main repo && cd repo
cp -a ../dir ../file ../script . && git add . && git commit -q -m one && git log --format="%H %s"
git checkout -q -b topic && echo x >> file && git commit -qam two && git checkout -q main && git merge -q topic && git status -s
for i in $(seq 30); do echo $i > n$i; done; git add . && git commit -q -m three && git gc -q && git fsck 2>&1 && git count-objects -v | grep -v size
git mv n1 m1 && git rm -q n2 && git commit -q -m four && git stash list && git diff --stat HEAD~1
cd .. && git clone -q repo clone && cd clone && git log --oneline && ls && git tag v1 && git describe --tags
git rev-parse HEAD HEAD^{tree}; git grep -c 0123; git blame -s file | tail -n 2; git archive HEAD | tar -t | wc -l
cd .. && rm -rf clone repo && ls'
finish
